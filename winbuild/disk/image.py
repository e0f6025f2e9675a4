"""Raw disk images as sparse files: making them, and knowing which parts hold data."""

from __future__ import annotations

import errno
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.errors import DiskError, HostError

SECTOR_BYTES = 512
_GIB = 1024**3
_MIB = 1024**2


@dataclass(frozen=True)
class Extent:
    """A stretch of a file that is allocated, as offset and length in bytes."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def size_text(size_bytes: int) -> str:
    """`32212254720` → `30G`, `4299161600` → `4100M`; bytes where it is no whole MiB."""
    if size_bytes and size_bytes % _GIB == 0:
        return f"{size_bytes // _GIB}G"
    if size_bytes and size_bytes % _MIB == 0:
        return f"{size_bytes // _MIB}M"
    return str(size_bytes)


def create_blank_image(dest: Path, size_bytes: int) -> None:
    """Make a raw image of `size_bytes` that holds only zeros and takes no room yet.

    An existing `dest` is replaced. Raises DiskError if the size is no positive multiple of
    512 or the file system cannot hold a file that large.
    """
    if size_bytes <= 0 or size_bytes % SECTOR_BYTES:
        raise DiskError(
            f"a disk of {size_bytes} bytes cannot be made: a disk is a whole number of 512-byte "
            "sectors",
            hint="set IMAGESIZE to something like 30G or 4096M",
        )
    with unfinished(dest) as temp:
        try:
            os.truncate(temp, size_bytes)
        except OSError as exc:
            if exc.errno not in (errno.EFBIG, errno.EINVAL, errno.ENOSPC):
                raise
            raise DiskError(
                f"the file system of {dest.parent} cannot hold a file of {size_text(size_bytes)}: "
                f"{exc.strerror}",
                hint="choose another folder, or a smaller IMAGESIZE",
            ) from exc


def require_space(path: Path, size_bytes: int, *, purpose: str = "go on") -> None:
    """Raise HostError unless `size_bytes` are free, for this user, where `path` is or will be.

    `purpose` completes the sentence "to ..." of the message.
    """
    existing = path.absolute()
    while not existing.exists():
        existing = existing.parent
    found = os.statvfs(existing)
    free = found.f_bavail * found.f_frsize
    if free < size_bytes:
        raise HostError(
            f"{existing} has {free / _GIB:.1f} GiB free, but {size_bytes / _GIB:.1f} GiB are "
            f"needed to {purpose}",
            hint=f"free {(size_bytes - free) / _GIB:.1f} GiB under {existing}",
        )


def data_extents(path: Path) -> list[Extent]:
    """The stretches of a file that are not holes, in order.

    A file system that knows no holes reports one extent for the whole file, which is true
    enough for every use: what is outside the extents is zeros.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        return extents_of_fd(fd)
    finally:
        os.close(fd)


def extents_of_fd(fd: int) -> list[Extent]:
    """As `data_extents`, for an open file. Moves the file's position."""
    size = os.fstat(fd).st_size
    extents: list[Extent] = []
    position = 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # only a hole is left
                break
            raise
        position = min(size, os.lseek(fd, start, os.SEEK_HOLE))
        extents.append(Extent(start, position - start))
    return extents


def allocated_bytes(extents: Sequence[Extent]) -> int:
    return sum(extent.length for extent in extents)


class AllocatedPosition:
    """Turns a position in a sparse file into the count of data bytes that lie before it.

    So that the progress of a program that skips holes runs evenly from 0 to `total`.
    """

    def __init__(self, extents: Sequence[Extent]) -> None:
        self._starts = [extent.start for extent in extents]
        self._extents = list(extents)
        self._before: list[int] = []
        self.total = 0
        for extent in extents:
            self._before.append(self.total)
            self.total += extent.length

    def before(self, position: int) -> int:
        index = bisect_right(self._starts, position) - 1
        if index < 0:
            return 0
        return self._before[index] + min(
            position - self._starts[index], self._extents[index].length
        )
