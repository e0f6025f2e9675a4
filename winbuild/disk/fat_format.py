"""Makes a small FAT32 volume with all its files, as bytes.

mkfs.fat can make a FAT32 of 10 MiB, but mtools cannot put files on it (see fat.py), so both is
done here. The result is what mkfs.fat lays out: 32 reserved sectors, FSInfo in sector 1, a copy of
both in sector 6, two FATs, clusters of one sector; every file in one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from winbuild.disk.fat import (
    ATTR_DIRECTORY,
    ATTR_LABEL,
    ATTR_LONG_NAME,
    ENTRY_BYTES,
    short_checksum,
)
from winbuild.errors import MediaError

SECTOR_BYTES = 512
_RESERVED_SECTORS = 32
_FATS = 2
_END_OF_CHAIN = 0x0FFFFFFF
_MEDIA_FIXED_DISK = 0xF8
_ATTR_ARCHIVE = 0x20
_SHORT_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$%'-_@~`!(){}^#&")
_LONG_NAME_FORBIDDEN = frozenset('"*/:<>?\\|')
_MAX_LONG_NAME = 255
_MAX_ALIASES = 1000


@dataclass
class _Directory:
    children: dict[str, _Directory | bytes] = field(default_factory=dict)
    cluster: int = 0


def make_fat32(
    size_bytes: int,
    label: str,
    files: Mapping[str, bytes],
    *,
    folders: tuple[str, ...] = (),
    hidden_sectors: int,
    serial: int,
    when: datetime,
) -> bytes:
    """A FAT32 volume of `size_bytes` with `files` (path with `/` → content) and empty `folders`.

    `hidden_sectors` is where its partition starts on the disk. The same arguments give the same
    bytes. Raises MediaError if the files do not fit or a name is impossible.
    """
    tree = _tree(files, folders)
    volume = _Volume(size_bytes, label, _dos_time(when))
    volume.add(tree, parent=None)
    return volume.finished(hidden_sectors, serial)


def _tree(files: Mapping[str, bytes], folders: tuple[str, ...]) -> _Directory:
    root = _Directory()
    for path in folders:
        _folder(root, path.split("/"))
    for path, content in files.items():
        *parents, name = path.split("/")
        _check_name(name)
        parent = _folder(root, parents)
        if _taken(parent, name):
            raise MediaError(f"two files of the same name, {path!r}, are to go on one volume")
        parent.children[name] = content
    return root


def _folder(directory: _Directory, parts: list[str]) -> _Directory:
    for part in parts:
        _check_name(part)
        found = directory.children.get(part)
        if found is None and not _taken(directory, part):
            found = directory.children[part] = _Directory()
        if not isinstance(found, _Directory):
            raise MediaError(f"{part!r} is to be a file and a folder on one volume")
        directory = found
    return directory


def _taken(directory: _Directory, name: str) -> bool:
    return any(name.casefold() == other.casefold() for other in directory.children)


def _check_name(name: str) -> None:
    bad = any(char in _LONG_NAME_FORBIDDEN or ord(char) < 32 for char in name)
    if bad or not name or name[-1] in " ." or len(name) > _MAX_LONG_NAME:
        raise MediaError(f"a FAT volume cannot hold a file named {name!r}")


class _Volume:
    """Gives clusters one after the other, from 2 (the root directory's first) on."""

    def __init__(self, size_bytes: int, label: str, time: bytes) -> None:
        self._sectors = size_bytes // SECTOR_BYTES
        data_sectors = self._sectors - _RESERVED_SECTORS
        # Each sector of a FAT holds 128 entries; entries 0 and 1 belong to no cluster.
        self._fat_sectors = -(-(data_sectors + 2) // (128 + _FATS))
        self._clusters = data_sectors - _FATS * self._fat_sectors
        if self._clusters < 16:
            raise MediaError(f"{size_bytes} bytes are too small for a FAT32 volume")
        self._label = label.upper().encode("ascii").ljust(11)
        if len(self._label) > 11:
            raise MediaError(f"the volume label {label!r} is longer than 11 characters")
        self._time = time
        self._fat = [0x0FFFFF00 | _MEDIA_FIXED_DISK, _END_OF_CHAIN]
        self._data: list[bytes] = []

    def add(self, directory: _Directory, parent: _Directory | None) -> None:
        """Place a directory and, after it, everything in it."""
        names = list(directory.children)
        shorts = _short_names(names)
        slots = sum(1 + len(_long_entries(name, shorts[name])) for name in names)
        slots += 1 if parent is None else 2
        directory.cluster = self._allocate(slots * ENTRY_BYTES)
        entries = []
        if parent is None:
            entries.append(_entry(self._label, ATTR_LABEL, 0, 0, self._time))
        else:
            # The root directory is written as cluster 0 in "..".
            above = 0 if parent.cluster == 2 else parent.cluster
            entries.append(_entry(b".".ljust(11), ATTR_DIRECTORY, directory.cluster, 0, self._time))
            entries.append(_entry(b"..".ljust(11), ATTR_DIRECTORY, above, 0, self._time))
        for name in names:
            child = directory.children[name]
            if isinstance(child, _Directory):
                self.add(child, directory)
                attribute, cluster, size = ATTR_DIRECTORY, child.cluster, 0
            else:
                attribute, cluster, size = _ATTR_ARCHIVE, self._allocate(len(child)), len(child)
                self._place(cluster, child)
            entries += _long_entries(name, shorts[name])
            entries.append(_entry(shorts[name], attribute, cluster, size, self._time))
        self._place(directory.cluster, b"".join(entries))

    def _allocate(self, length: int) -> int:
        """The first of as many clusters as `length` bytes need, chained; 0 for none."""
        count = -(-length // SECTOR_BYTES)
        first = len(self._fat)
        if first - 2 + count > self._clusters:
            raise MediaError(
                f"the files do not fit on a volume of {self._sectors * SECTOR_BYTES} bytes"
            )
        for cluster in range(first, first + count):
            self._fat.append(cluster + 1 if cluster < first + count - 1 else _END_OF_CHAIN)
            self._data.append(b"")
        return first if count else 0

    def _place(self, cluster: int, content: bytes) -> None:
        for index in range(0, len(content), SECTOR_BYTES):
            self._data[cluster - 2 + index // SECTOR_BYTES] = content[index : index + SECTOR_BYTES]

    def finished(self, hidden_sectors: int, serial: int) -> bytes:
        boot = self._boot_sector(hidden_sectors, serial)
        info = self._info_sector()
        reserved = bytearray(_RESERVED_SECTORS * SECTOR_BYTES)
        for sector, content in ((0, boot), (1, info), (6, boot), (7, info)):
            reserved[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] = content
        fat = struct.pack(f"<{len(self._fat)}I", *self._fat)
        fat = fat.ljust(self._fat_sectors * SECTOR_BYTES, b"\0")
        clusters = b"".join(cluster.ljust(SECTOR_BYTES, b"\0") for cluster in self._data)
        volume = bytes(reserved) + fat * _FATS + clusters
        return volume.ljust(self._sectors * SECTOR_BYTES, b"\0")

    def _boot_sector(self, hidden_sectors: int, serial: int) -> bytes:
        sector = bytearray(SECTOR_BYTES)
        struct.pack_into("<3s8s", sector, 0, b"\xeb\x58\x90", b"MSWIN4.1")
        struct.pack_into("<HBHBHH", sector, 11, SECTOR_BYTES, 1, _RESERVED_SECTORS, _FATS, 0, 0)
        sector[21] = _MEDIA_FIXED_DISK
        struct.pack_into("<HHHII", sector, 22, 0, 63, 255, hidden_sectors, self._sectors)
        struct.pack_into("<IHHIHH", sector, 36, self._fat_sectors, 0, 0, 2, 1, 6)
        struct.pack_into("<BBBI11s8s", sector, 64, 0x80, 0, 0x29, serial, self._label, b"FAT32   ")
        sector[90:94] = b"\xfa\xf4\xeb\xfd"  # nothing to boot: cli, hlt, and again
        sector[510:512] = b"\x55\xaa"
        return bytes(sector)

    def _info_sector(self) -> bytes:
        sector = bytearray(SECTOR_BYTES)
        used = len(self._fat) - 2
        sector[0:4] = b"RRaA"
        struct.pack_into("<4sII", sector, 484, b"rrAa", self._clusters - used, len(self._fat))
        struct.pack_into("<I", sector, 508, 0xAA550000)
        return bytes(sector)


def _dos_time(when: datetime) -> bytes:
    """Time and date as in a directory entry: two seconds exact, from 1980 on."""
    time = when.hour << 11 | when.minute << 5 | when.second // 2
    date = max(when.year - 1980, 0) << 9 | when.month << 5 | when.day
    return struct.pack("<HH", time, date)


def _entry(short: bytes, attributes: int, cluster: int, size: int, time: bytes) -> bytes:
    head = struct.pack("<11sBBB4s2s", short, attributes, 0, 0, time, time[2:])
    return head + struct.pack("<H4sHI", cluster >> 16, time, cluster & 0xFFFF, size)


def _short_names(names: list[str]) -> dict[str, bytes]:
    """A distinct 8.3 name for each name; the name itself where it is one."""
    found = {name: plain for name in names if (plain := _plain_short_name(name))}
    used = set(found.values())
    for name in names:
        if name in found:
            continue
        base, _, extension = name.upper().rpartition(".") if "." in name[1:] else (name, "", "")
        stem = "".join(c if c in _SHORT_NAME_CHARS else "_" for c in base.upper() if c not in " .")
        tail = "".join(c if c in _SHORT_NAME_CHARS else "_" for c in extension)[:3]
        for number in range(1, _MAX_ALIASES):
            suffix = f"~{number}"
            alias = f"{stem[: 8 - len(suffix)]}{suffix}".ljust(8) + tail.ljust(3)
            if alias.encode() not in used:
                break
        else:
            raise MediaError(f"too many names like {name!r} in one folder")
        found[name] = alias.encode()
        used.add(alias.encode())
    return found


def _plain_short_name(name: str) -> bytes | None:
    base, _, extension = name.partition(".")
    fits = 1 <= len(base) <= 8 and len(extension) <= 3
    if fits and all(char in _SHORT_NAME_CHARS for char in base + extension):
        return f"{base:8}{extension:3}".encode()
    return None


def _long_entries(name: str, short: bytes) -> list[bytes]:
    """The entries with the long name, last part first; none if the short one says it all."""
    if _plain_short_name(name) == short:
        return []
    units = name.encode("utf-16-le")
    if len(units) % 26:
        units += b"\0\0"
    units = units.ljust(-(-len(units) // 26) * 26, b"\xff")
    checksum = short_checksum(short)
    parts = [units[offset : offset + 26] for offset in range(0, len(units), 26)]
    entries = [
        struct.pack("<B10sBBB", number, part[:10], ATTR_LONG_NAME, 0, checksum)
        + struct.pack("<12sH4s", part[10:22], 0, part[22:])
        for number, part in enumerate(parts, 1)
    ]
    entries[-1] = bytes((entries[-1][0] | 0x40,)) + entries[-1][1:]
    return entries[::-1]
