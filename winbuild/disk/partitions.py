"""Reads partition tables: MBR, extended partitions and GPT.

Facts: the MBR's table is at byte 446 of sector 0, four entries of 16 bytes, then 55 AA; a
chain of extended boot records holds the logical partitions, numbered from 5 (each relative to
its own record, the chain relative to the first). GPT: UEFI specification 2.10, chapter 5.3.
Sectors are 512 bytes: what winbuild's virtual disks have.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from winbuild.disk.image import SECTOR_BYTES, size_text
from winbuild.errors import DiskError

Reader = Callable[[int, int], bytes]
"""`read(offset, length)`; shorter than `length` only at the end."""

_EXTENDED_TYPES = frozenset((0x05, 0x0F, 0x85))
_PROTECTIVE_TYPE = 0xEE
_MAX_LOGICAL = 128
_MAX_GPT_ENTRIES = 1024
_GPT_ACTIVE = 1 << 2  # attribute "legacy BIOS bootable"
_ENTRY = struct.Struct("<B3sB3sII")
_GPT_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")


@dataclass(frozen=True)
class Partition:
    """`type_code` is two hex digits in an MBR (`07`), a GUID in lower case in a GPT."""

    number: int
    start_bytes: int
    size_bytes: int
    type_code: str
    active: bool
    name: str = ""

    @property
    def end_bytes(self) -> int:
        return self.start_bytes + self.size_bytes


# What the first bytes of a partition look like: offset, bytes, name.
_FILE_SYSTEMS = (
    (3, b"NTFS    ", "NTFS"),
    (3, b"-FVE-FS-", "BitLocker"),
    (3, b"EXFAT   ", "exFAT"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (0x52, b"FAT32   ", "FAT32"),
    (0x36, b"FAT16   ", "FAT16"),
    (0x36, b"FAT12   ", "FAT12"),
    (0, b"hsqs", "squashfs"),
)
_EXT_MAGIC_AT = 1024 + 56


def file_system_kind(start_of_partition: bytes) -> str | None:
    """Name the file system by its first 2 KiB; None when they are nothing known.

    BitLocker To Go, which looks like FAT32, is told by its identifier at byte 424.
    """
    if start_of_partition[424:440] == uuid.UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le:
        return "BitLocker"
    for offset, magic, kind in _FILE_SYSTEMS:
        if start_of_partition[offset : offset + len(magic)] == magic:
            return kind
    if start_of_partition[_EXT_MAGIC_AT : _EXT_MAGIC_AT + 2] == b"\x53\xef":
        return "ext2/3/4"
    return None


def read_partitions(image: Path) -> list[Partition]:
    """The partitions of a raw disk image, by number. Raises DiskError."""
    try:
        with image.open("rb") as stream:
            size_bytes = stream.seek(0, 2)

            def read(offset: int, length: int) -> bytes:
                stream.seek(offset)
                return stream.read(length)

            return parse_partitions(read, size_bytes, name=str(image))
    except FileNotFoundError as exc:
        raise DiskError(
            f"there is no disk image {image}", hint="the install step makes it: see nextstep"
        ) from exc


def partition_by_number(image: Path, number: int) -> Partition:
    """One partition of an image. Raises DiskError, naming those which exist."""
    partitions = read_partitions(image)
    for partition in partitions:
        if partition.number == number:
            return partition
    have = ", ".join(str(partition.number) for partition in partitions) or "none at all"
    raise DiskError(f"{image} has no partition {number}; it has {have}")


def parse_partitions(read: Reader, size_bytes: int, *, name: str = "the disk") -> list[Partition]:
    """As `read_partitions`, from any source of bytes. `name` is used in messages."""
    sector = read(0, SECTOR_BYTES)
    if len(sector) < SECTOR_BYTES:
        raise DiskError(f"{name} is too short for a disk: {size_bytes} bytes")
    if sector[510:512] != b"\x55\xaa":
        raise DiskError(
            f"{name} has no partition table"
            + ("; its first sector is empty" if not any(sector) else ""),
            hint="Windows Setup has not partitioned this disk yet",
        )
    kind = file_system_kind(read(0, 2048))
    entries = _mbr_entries(sector)
    if kind or entries is None:
        holds = f"a {kind} file system without a partition table" if kind else "no valid one"
        raise DiskError(f"{name} has no partition table: its first sector holds {holds}")
    if any(entry.type == _PROTECTIVE_TYPE for entry in entries):
        partitions = list(_gpt_partitions(read, size_bytes, name))
    else:
        partitions = list(_mbr_partitions(read, entries, name))
    for partition in partitions:
        if partition.end_bytes > size_bytes:
            raise DiskError(
                f"{name} is cut off: partition {partition.number} ends at byte "
                f"{partition.end_bytes}, but the file has only {size_bytes}"
            )
    return sorted(partitions, key=lambda partition: partition.number)


def require_ntfs(image: Path, partition: Partition) -> None:
    """Raise DiskError, saying what is there instead, unless the partition holds NTFS."""
    with image.open("rb") as stream:
        stream.seek(partition.start_bytes)
        start = stream.read(2048)
    kind = file_system_kind(start)
    if kind == "NTFS":
        return
    where = f"partition {partition.number} of {image} ({size_text(partition.size_bytes)})"
    if kind == "BitLocker":
        raise DiskError(
            f"{where} is encrypted with BitLocker, so its files cannot be read from outside",
            hint="decrypt it in the guest (manage-bde -off C:) and wait until that has finished",
        )
    found = f"a {kind} file system" if kind else ("only zeros" if not any(start) else "no NTFS")
    raise DiskError(f"{where} holds {found}, where NTFS was expected")


@dataclass(frozen=True)
class _MbrEntry:
    slot: int
    active: bool
    type: int
    start: int
    """In sectors, as `length`."""
    length: int


def _mbr_entries(sector: bytes) -> list[_MbrEntry] | None:
    """The used entries of a table; None if they cannot be those of a partition table."""
    entries = []
    for slot in range(4):
        status, _, type_code, _, start, length = _ENTRY.unpack_from(sector, 446 + slot * 16)
        if status not in (0x00, 0x80):
            return None
        if type_code:
            entries.append(_MbrEntry(slot, status == 0x80, type_code, start, length))
    return entries


def _mbr_partitions(read: Reader, entries: list[_MbrEntry], name: str) -> Iterator[Partition]:
    for entry in entries:
        if entry.type in _EXTENDED_TYPES:
            yield from _logical_partitions(read, entry.start, name)
        elif entry.start and entry.length:
            yield _from_mbr(entry.slot + 1, entry, entry.start)
        else:
            raise DiskError(f"{name}: entry {entry.slot + 1} of the partition table is faulty")


def _from_mbr(number: int, entry: _MbrEntry, start_sector: int) -> Partition:
    return Partition(
        number=number,
        start_bytes=start_sector * SECTOR_BYTES,
        size_bytes=entry.length * SECTOR_BYTES,
        type_code=f"{entry.type:02x}",
        active=entry.active,
    )


def _logical_partitions(read: Reader, extended_start: int, name: str) -> Iterator[Partition]:
    at, seen, number = extended_start, set[int](), 5
    while True:
        if at in seen or len(seen) >= _MAX_LOGICAL:
            raise DiskError(f"{name}: the chain of logical partitions runs in a circle")
        seen.add(at)
        sector = read(at * SECTOR_BYTES, SECTOR_BYTES)
        if len(sector) < SECTOR_BYTES or sector[510:512] != b"\x55\xaa":
            raise DiskError(
                f"{name}: the chain of logical partitions is broken at sector {at} (cut off?)"
            )
        entries = _mbr_entries(sector)
        if entries is None:
            raise DiskError(f"{name}: the extended boot record at sector {at} is faulty")
        following = None
        for entry in entries[:2]:
            if entry.type in _EXTENDED_TYPES:
                following = extended_start + entry.start
            elif entry.length:
                yield _from_mbr(number, entry, at + entry.start)
                number += 1
        if following is None:
            return
        at = following


def _gpt_partitions(read: Reader, size_bytes: int, name: str) -> Iterator[Partition]:
    """From the primary table, or from the backup in the last sector if that is damaged."""
    table = None
    for lba in (1, size_bytes // SECTOR_BYTES - 1):
        table = table or _gpt_table(read, lba, size_bytes)
    if table is None:
        raise DiskError(f"{name}: both copies of its GPT are damaged or cut off")
    entry_bytes, entries = table
    for index in range(len(entries) // entry_bytes):
        entry = entries[index * entry_bytes : (index + 1) * entry_bytes]
        if not any(entry[:16]):
            continue
        first, last, attributes = struct.unpack_from("<QQQ", entry, 32)
        if last < first:
            raise DiskError(f"{name}: entry {index + 1} of the GPT is faulty")
        yield Partition(
            number=index + 1,
            start_bytes=first * SECTOR_BYTES,
            size_bytes=(last - first + 1) * SECTOR_BYTES,
            type_code=str(uuid.UUID(bytes_le=entry[:16])),
            active=bool(attributes & _GPT_ACTIVE),
            name=entry[56:128].decode("utf-16-le", "replace").split("\0")[0],
        )


def _gpt_table(read: Reader, lba: int, size_bytes: int) -> tuple[int, bytes] | None:
    """Size of an entry and all entries' bytes, or None if a checksum or a field is wrong."""
    header = read(lba * SECTOR_BYTES, SECTOR_BYTES)
    if len(header) < SECTOR_BYTES or header[:8] != b"EFI PART":
        return None
    fields = _GPT_HEADER.unpack_from(header)
    header_bytes, header_crc = fields[2], fields[3]
    entries_lba, count, entry_bytes, entries_crc = fields[10:14]
    if not (92 <= header_bytes <= SECTOR_BYTES and 128 <= entry_bytes <= 4096):
        return None
    if zlib.crc32(header[:16] + bytes(4) + header[20:header_bytes]) != header_crc:
        return None
    if count > _MAX_GPT_ENTRIES or entries_lba * SECTOR_BYTES >= size_bytes:
        return None
    entries = read(entries_lba * SECTOR_BYTES, count * entry_bytes)
    if len(entries) != count * entry_bytes or zlib.crc32(entries) != entries_crc:
        return None
    return entry_bytes, entries
