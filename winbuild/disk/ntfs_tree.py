"""Directories, names and links as dissect.ntfs gives them. Used by ntfs.py only.

dissect's own listing reads every block of a directory's index, also those which are no longer
in use, and so shows deleted files again; here the tree is followed from its root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from winbuild.disk.ntfs_record import REPARSE_MOUNT_POINT, REPARSE_SYMBOLIC_LINK, Summary
from winbuild.errors import DiskError

MftRecord = Any  # dissect.ntfs.mft.MftRecord: dissect has no type information

_DOS_NAMESPACE = 2
_INDEXED_DIRECTORY = 0x10000000
_STANDARD_INFORMATION = 0x10


@dataclass(frozen=True)
class NtfsEntry:
    """A file or directory. `path` is as Windows writes it, with `/`: `Windows/Panther`."""

    path: str
    is_dir: bool
    size_bytes: int
    mtime_ns: int
    """Last change, in nanoseconds since 1970 (UTC)."""
    record_number: int
    """In the volume's file table: leads to the file without a search by name."""
    is_link: bool = False
    """A junction or symbolic link."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def entry_of(path: str, record: MftRecord) -> NtfsEntry:
    times = record.attributes[_STANDARD_INFORMATION]
    is_dir = bool(record.is_dir())
    return NtfsEntry(
        path=path,
        is_dir=is_dir,
        size_bytes=0 if is_dir or not record.has_stream() else int(record.size()),
        mtime_ns=int(times[0].attribute.last_modification_time_ns) if times else 0,
        record_number=int(record.segment),
        is_link=is_link(record),
    )


def entry_of_summary(path: str, number: int, summary: Summary) -> NtfsEntry:
    return NtfsEntry(
        path=path,
        is_dir=summary.is_dir,
        size_bytes=0 if summary.is_dir else summary.size_bytes,
        mtime_ns=summary.mtime_ns,
        record_number=number,
        is_link=summary.reparse_tag in (REPARSE_MOUNT_POINT, REPARSE_SYMBOLIC_LINK),
    )


def entry_of_index(path: str, indexed: IndexedName) -> NtfsEntry:
    """What a directory says of something whose own record cannot be read. Reading it will
    raise, and so tell why."""
    return NtfsEntry(path, indexed.is_dir, indexed.size_bytes, 0, indexed.record_number)


def is_link(record: MftRecord) -> bool:
    return bool(record.is_symlink() or record.is_mount_point())


@dataclass(frozen=True)
class IndexedName:
    """What a directory knows of something in it. The size may be out of date."""

    name: str
    record_number: int
    is_dir: bool
    size_bytes: int
    is_short: bool
    """An 8.3 name, beside which there is a long one."""


def child(record: MftRecord, name: str) -> IndexedName | None:
    """What a directory holds under `name`, in any case.

    Short (8.3) names are found too; the long one is returned for them.
    """
    try:
        found = _indexed(record.index("$I30").search(name))
    except KeyError:
        # Windows orders names by its own table of capitals, so a search by Python's may have
        # gone astray among names beyond ASCII.
        wanted = name.upper()
        return next((each for each in names_in(record) if each.name.upper() == wanted), None)
    if found.is_short:
        number = found.record_number
        return next((each for each in names_in(record) if each.record_number == number), found)
    return found


def names_in(record: MftRecord) -> Iterator[IndexedName]:
    """Everything in a directory, in Windows' order, without the short (8.3) duplicates. Blocks
    of the index that cannot be read are passed over."""
    index = record.index("$I30")
    for entry in _in_order(index, index.root.entries(), set()):
        found = _indexed(entry)
        if not found.is_short:
            yield found


def _in_order(index: Any, entries: Iterator[Any], seen: set[int]) -> Iterator[Any]:
    for entry in entries:
        if entry.is_node and entry.node_vcn not in seen:
            seen.add(entry.node_vcn)
            try:
                below = list(index.index_buffer(entry.node_vcn).entries())
            except read_faults():
                below = []
            yield from _in_order(index, iter(below), seen)
        if entry.is_end:
            return
        yield entry


def _indexed(entry: Any) -> IndexedName:
    reference = entry.header.FileReference
    return IndexedName(
        name=str(entry.attribute.file_name),
        record_number=int(reference.SegmentNumberLowPart | reference.SegmentNumberHighPart << 32),
        is_dir=bool(entry.attribute.attr.FileAttributes & _INDEXED_DIRECTORY),
        size_bytes=int(entry.attribute.attr.FileSize),
        is_short=entry.attribute.flags == _DOS_NAMESPACE,
    )


def read_faults() -> tuple[type[Exception], ...]:
    """What dissect raises on structures that make no sense: its own Error, or whatever the
    nonsense led to."""
    from dissect.ntfs.exceptions import Error

    return (
        Error,
        EOFError,
        ValueError,
        LookupError,
        OSError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    )


class faults_as_disk_errors:
    """Context: what dissect raises becomes a DiskError that names `what`."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc is not None and not isinstance(exc, DiskError) and isinstance(exc, read_faults()):
            raise DiskError(
                f"{self._what} cannot be read: {exc or type(exc).__name__}",
                hint="if a VM is using the disk, try again; else the file system is damaged",
            ) from exc
