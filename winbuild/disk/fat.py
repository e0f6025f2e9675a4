"""Reads files from a FAT volume in an image: the metadata disk on which the guest leaves pw.enc.

mtools cannot be used for it: it takes a volume for FAT32 only from 65525 clusters on, which a
disk of 10 MiB does not have. Windows and Linux go by the boot sector alone (a FAT size of 0 in
the old field means FAT32), and so does this module. Layout: Microsoft's "FAT32 File System
Specification" 1.03. The limit between FAT12 and FAT16, 4087 clusters, is Windows' (FatIndexBitSize
in its published fastfat driver).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.disk.partitions import Partition
from winbuild.errors import DiskError

ENTRY_BYTES = 32
ATTR_LABEL = 0x08
ATTR_DIRECTORY = 0x10
ATTR_LONG_NAME = 0x0F
_ATTR_MASK = 0x3F
_DELETED = 0xE5
_FAT12_CLUSTERS = 4087
_MAX_DEPTH = 32


@dataclass(frozen=True)
class FatEntry:
    """A file or directory; `path` with `/`."""

    path: str
    is_dir: bool
    size_bytes: int
    first_cluster: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class FatPathMissing(DiskError):
    """There is nothing at that path."""


class FatVolume:
    """A FAT12, FAT16 or FAT32 volume, read from an image once and as a whole FAT.

    Paths may have `/` or `\\` and any case. Raises DiskError.
    """

    def __init__(self, image: Path, partition: Partition) -> None:
        self._where = f"partition {partition.number} of {image}"
        self._image = image
        self._start = partition.start_bytes
        self._read_layout(self._bytes(0, 512), partition.size_bytes)

    def _read_layout(self, boot: bytes, size_bytes: int) -> None:
        if len(boot) < 512 or boot[510:512] != b"\x55\xaa":
            raise DiskError(f"{self._where} holds no FAT file system")
        sector, per_cluster, reserved, fats, root_entries, sectors = struct.unpack_from(
            "<HBHBHH", boot, 11
        )
        fat_sectors = struct.unpack_from("<H", boot, 22)[0]
        sectors = sectors or struct.unpack_from("<I", boot, 32)[0]
        self._is_fat32 = fat_sectors == 0
        if self._is_fat32:
            fat_sectors = struct.unpack_from("<I", boot, 36)[0]
        if sector not in (512, 1024, 2048, 4096) or not per_cluster or not fats or not reserved:
            raise DiskError(f"{self._where} holds no FAT file system")
        root_bytes = -(-root_entries * ENTRY_BYTES // sector) * sector
        self._root_start = (reserved + fats * fat_sectors) * sector
        self._root_bytes = root_bytes
        self._data_start = self._root_start + root_bytes
        self._cluster_bytes = per_cluster * sector
        clusters = (sectors * sector - self._data_start) // self._cluster_bytes
        if clusters <= 0 or sectors * sector > size_bytes:
            raise DiskError(f"the FAT file system in {self._where} is cut off or damaged")
        self._bits = 32 if self._is_fat32 else 12 if clusters < _FAT12_CLUSTERS else 16
        self._last_cluster = clusters + 1
        self._root_cluster = struct.unpack_from("<I", boot, 44)[0] if self._is_fat32 else 0
        fat_bytes = min(fat_sectors * sector, (clusters + 2) * self._bits // 8 + 2)
        self._fat = self._bytes(reserved * sector, fat_bytes)

    @property
    def label(self) -> str:
        """The label in the root directory, which is the one that Windows shows."""
        for raw, _ in _entries(self._root()):
            if raw[11] & _ATTR_MASK == ATTR_LABEL:
                return raw[:11].decode("ascii", "replace").rstrip()
        return ""

    def exists(self, path: str) -> bool:
        try:
            self.entry(path)
        except FatPathMissing:
            return False
        return True

    def entry(self, path: str) -> FatEntry:
        found = FatEntry("", True, 0, self._root_cluster)
        for part in path.replace("\\", "/").split("/"):
            if part in ("", "."):
                continue
            wanted = part.casefold()
            children = self._children(found) if found.is_dir else iter(())
            match = next((each for each in children if each.name.casefold() == wanted), None)
            if match is None:
                raise FatPathMissing(f"{path} does not exist in {self._where}")
            found = match
        return found

    def list(self, path: str = "/") -> list[FatEntry]:
        """The content of a directory (or the one entry of a file), by name."""
        top = self.entry(path)
        if not top.is_dir:
            return [top]
        return sorted(self._children(top), key=lambda entry: entry.name.casefold())

    def walk(self, path: str = "/") -> Iterator[FatEntry]:
        """Everything under `path`: each directory before its content, names in order."""
        for entry in self.list(path):
            yield entry
            if entry.is_dir and entry.path.count("/") < _MAX_DEPTH:
                yield from self.walk(entry.path)

    def read(self, path: str) -> bytes:
        entry = self.entry(path)
        if entry.is_dir:
            raise DiskError(f"{path} in {self._where} is a directory")
        content = self._chain(entry.first_cluster, entry.size_bytes)
        if len(content) < entry.size_bytes:
            raise DiskError(f"{path} in {self._where} cannot be read to its end")
        return content[: entry.size_bytes]

    def copy_out(self, path: str, dest: Path) -> None:
        """Copy a file to the file `dest`, or a directory with all below it to `dest`."""
        top = self.entry(path)
        if not top.is_dir:
            write_atomic(dest, self.read(top.path))
            return
        dest.mkdir(parents=True, exist_ok=True)
        for entry in self.walk(top.path):
            target = dest / entry.path[len(top.path) :].lstrip("/")
            if entry.is_dir:
                target.mkdir(exist_ok=True)
            else:
                write_atomic(target, self.read(entry.path))

    def _children(self, directory: FatEntry) -> Iterator[FatEntry]:
        raw = self._chain(directory.first_cluster) if directory.first_cluster else self._root()
        for entry, name in _entries(raw):
            attributes = entry[11] & _ATTR_MASK
            if attributes & ATTR_LABEL or name in (".", "..", "") or "/" in name or "\0" in name:
                continue
            high, low, size = (
                *struct.unpack_from("<H", entry, 20),
                *struct.unpack_from("<HI", entry, 26),
            )
            yield FatEntry(
                path=f"{directory.path}/{name}".lstrip("/"),
                is_dir=bool(attributes & ATTR_DIRECTORY),
                size_bytes=size,
                first_cluster=low | (high << 16 if self._is_fat32 else 0),
            )

    def _root(self) -> bytes:
        if self._is_fat32:
            return self._chain(self._root_cluster)
        return self._bytes(self._root_start, self._root_bytes)

    def _chain(self, cluster: int, limit: int | None = None) -> bytes:
        """The clusters of a chain, up to `limit` bytes; stops where it leads nowhere."""
        pieces: list[bytes] = []
        seen: set[int] = set()
        while 2 <= cluster <= self._last_cluster and cluster not in seen:
            if limit is not None and len(pieces) * self._cluster_bytes >= limit:
                break
            seen.add(cluster)
            offset = self._data_start + (cluster - 2) * self._cluster_bytes
            pieces.append(self._bytes(offset, self._cluster_bytes))
            cluster = self._next(cluster)
        return b"".join(pieces)

    def _next(self, cluster: int) -> int:
        if self._bits == 12:
            pair = int.from_bytes(self._fat[cluster * 3 // 2 : cluster * 3 // 2 + 2], "little")
            return pair >> 4 if cluster & 1 else pair & 0xFFF
        size = self._bits // 8
        raw = int.from_bytes(self._fat[cluster * size : (cluster + 1) * size], "little")
        return raw & 0x0FFFFFFF

    def _bytes(self, offset: int, length: int) -> bytes:
        try:
            with self._image.open("rb") as stream:
                stream.seek(self._start + offset)
                return stream.read(length)
        except FileNotFoundError as exc:
            raise DiskError(f"there is no disk image {self._image}") from exc


def _entries(directory: bytes) -> Iterator[tuple[bytes, str]]:
    """The 32-byte entries of a directory with their names, labels included."""
    long_parts: dict[int, bytes] = {}
    for offset in range(0, len(directory) - ENTRY_BYTES + 1, ENTRY_BYTES):
        raw = directory[offset : offset + ENTRY_BYTES]
        if raw[0] == 0:
            return
        if raw[0] == _DELETED:
            long_parts = {}
        elif raw[11] & _ATTR_MASK == ATTR_LONG_NAME:
            if raw[0] & 0x40:
                long_parts = {}
            long_parts[raw[0] & 0x1F] = raw[1:11] + raw[14:26] + raw[28:32] + raw[13:14]
        else:
            yield raw, _long_name(long_parts, short_checksum(raw[:11])) or _short_name(raw)
            long_parts = {}


def short_checksum(name: bytes) -> int:
    """The checksum of an 8.3 name by which its long name is tied to it."""
    total = 0
    for byte in name:
        total = ((total & 1) << 7 | total >> 1) + byte & 0xFF
    return total


def _long_name(parts: dict[int, bytes], checksum: int) -> str:
    numbers = sorted(parts)
    if not parts or numbers != list(range(1, len(parts) + 1)):
        return ""
    if any(parts[number][26] != checksum for number in numbers):
        return ""
    text = b"".join(parts[number][:26] for number in numbers).decode("utf-16-le", "replace")
    return text.split("\0")[0]


def _short_name(raw: bytes) -> str:
    # Byte 12 tells, since Windows NT, that base or extension are meant in lower case.
    first = b"\xe5" if raw[0] == 0x05 else raw[:1]
    base = (first + raw[1:8]).decode("cp437").rstrip()
    extension = raw[8:11].decode("cp437").rstrip()
    base = base.lower() if raw[12] & 0x08 else base
    extension = extension.lower() if raw[12] & 0x10 else extension
    return f"{base}.{extension}" if extension else base
