"""The little that is needed of the ELF format (64-bit, little-endian; System V ABI)."""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = b"\x7fELF"
_SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, …


def is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) == MAGIC


def blank_section(content: bytes, name: str) -> bytes:
    """The same ELF file with the section `name` full of zeros. Raises ValueError without it."""
    if content[:6] != MAGIC + b"\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", content, 0x28)
    entry_bytes, count, names_index = struct.unpack_from("<3H", content, 0x3A)
    sections = [_SECTION.unpack_from(content, table + i * entry_bytes) for i in range(count)]
    names_start = sections[names_index][4]
    for section in sections:
        start = names_start + section[0]
        if content[start : content.index(b"\0", start)] == name.encode():
            offset, size = section[4], section[5]
            return content[:offset] + bytes(size) + content[offset + size :]
    raise ValueError(f"no section {name!r}")
