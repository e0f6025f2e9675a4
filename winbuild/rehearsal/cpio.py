"""Writes the archive that the Linux kernel unpacks as its first root file system ("newc").

The format is described in the kernel's documentation, driver-api/early-userspace/buffer-format.
Archives of equal content are equal: times, owners and inode numbers are fixed.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_END = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A directory, file or symbolic link. `name` has no leading slash; `mode` includes the type."""

    name: str
    mode: int
    content: bytes = b""


def directory(name: str) -> Entry:
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes, *, executable: bool = False) -> Entry:
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), content)


def symlink(name: str, target: str) -> Entry:
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def newc_archive(entries: Iterable[Entry]) -> bytes:
    """The archive with `entries` in their order: a directory must precede what it holds."""
    blocks = [
        _member(number, entry.name, entry.mode, entry.content)
        for number, entry in enumerate(entries, start=1)
    ]
    blocks.append(_member(0, _END, 0, b""))
    return b"".join(blocks)


def _member(inode: int, name: str, mode: int, content: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + encoded
    return _padded(head) + _padded(content)


def _padded(block: bytes) -> bytes:
    return block + bytes(-len(block) % 4)
