"""Reads the files of an NTFS partition in a raw image: no mount, no root.

dissect.ntfs does the parsing; it is imported when a volume is opened, because it costs 0.1 s.
The image may be the disk of a running VM: nothing is written, and what is inconsistent at the
moment of reading is left out of lists, or reported as a DiskError of the one file.
"""

from __future__ import annotations

import io
import ntpath
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from winbuild.atomic import unfinished
from winbuild.disk.image import Extent
from winbuild.disk.ntfs_record import (
    RECORD_VOLUME,
    VOLUME_INFORMATION,
    VOLUME_IS_DIRTY,
    VOLUME_NAME,
    summarise,
    unprotect,
)
from winbuild.disk.ntfs_tree import (
    MftRecord,
    NtfsEntry,
    child,
    entry_of,
    entry_of_index,
    entry_of_summary,
    faults_as_disk_errors,
    is_link,
    names_in,
    read_faults,
)
from winbuild.disk.partitions import Partition, require_ntfs
from winbuild.errors import DiskError

_COPY_CHUNK_BYTES = 1 << 20
_MAX_LINKS = 16
_MAX_DEPTH = 256
_RECORD_ROOT = 5
_FIRST_USER_RECORD = 16
_WOF_STREAM = "WofCompressedData"


@dataclass(frozen=True)
class VolumeState:
    """Whether the volume may be written to from outside."""

    dirty: bool
    """Windows has marked it for chkdsk."""
    hibernated: bool
    """Windows did not shut down but sleeps (as with "fast startup"): hiberfil.sys holds its
    memory, with changes that are not on the disk yet."""


class PathMissing(DiskError):
    """There is nothing at that path."""


def open_ntfs(image: Path, partition: Partition) -> NtfsVolume:
    """Open a partition of a raw image for reading. Raises DiskError if it holds no NTFS."""
    require_ntfs(image, partition)
    return NtfsVolume(image, partition)


class NtfsVolume:
    """Paths are Windows paths: `/` or `\\`, any case, with or without `C:` before them. An
    NtfsEntry from this volume may stand for its path, which saves the search.

    Use it as a context manager, or call `close`.
    """

    def __init__(self, image: Path, partition: Partition) -> None:
        from dissect.ntfs.ntfs import NTFS
        from dissect.util.stream import RangeStream

        self._where = f"partition {partition.number} of {image}"
        self._image = image.open("rb")
        try:
            window = RangeStream(self._image, partition.start_bytes, partition.size_bytes)
            with faults_as_disk_errors(self._where):
                ntfs = NTFS(window)
                self.cluster_bytes = int(ntfs.cluster_size)
                self.record_bytes = int(ntfs._record_size)
                self._mft = ntfs.mft
                self._root = self._mft.get(_RECORD_ROOT)
        except BaseException:
            self._image.close()
            raise

    def __enter__(self) -> NtfsVolume:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._image.close()

    @property
    def label(self) -> str:
        with faults_as_disk_errors(f"the label of {self._where}"):
            found = self._mft.get(RECORD_VOLUME).attributes[VOLUME_NAME]
            return bytes(found[0].data()).decode("utf-16-le", "replace") if found else ""

    def state(self) -> VolumeState:
        with faults_as_disk_errors(f"the state of {self._where}"):
            volume = self._mft.get(RECORD_VOLUME)
            information = bytes(volume.attributes[VOLUME_INFORMATION][0].data())
        dirty = bool(int.from_bytes(information[10:12], "little") & VOLUME_IS_DIRTY)
        try:
            with self.open("hiberfil.sys") as stream:
                return VolumeState(dirty, hibernated=stream.read(4).lower() == b"hibr")
        except PathMissing:
            return VolumeState(dirty, hibernated=False)

    def exists(self, path: str) -> bool:
        try:
            self.entry(path)
        except PathMissing:
            return False
        return True

    def entry(self, path: str) -> NtfsEntry:
        """What is at `path`, under its true name. Raises PathMissing, DiskError."""
        with faults_as_disk_errors(f"{path} in {self._where}"):
            return entry_of(*self._find(path))

    def list(self, path: str | NtfsEntry = "/") -> list[NtfsEntry]:
        """The content of a directory (or the one entry of a file), by name."""
        with faults_as_disk_errors(self._what(path)):
            true_path, record = self._lookup(path)
            if not record.is_dir():
                return [entry_of(true_path, record)]
            return sorted(self._children(true_path, record), key=lambda entry: entry.name.lower())

    def walk(
        self,
        path: str | NtfsEntry = "/",
        *,
        on_error: Callable[[NtfsEntry, DiskError], None] | None = None,
    ) -> Iterator[NtfsEntry]:
        """Everything under `path`: each directory before its content, names in order.

        The directory itself is not yielded; a file yields itself. Links are not followed.
        With `on_error` a directory below that cannot be read is told to it and passed over.
        """
        todo = [iter(self.list(path))]
        while todo:
            entry = next(todo[-1], None)
            if entry is None:
                todo.pop()
                continue
            yield entry
            if entry.is_dir and not entry.is_link and len(todo) < _MAX_DEPTH:
                try:
                    todo.append(iter(self.list(entry)))
                except DiskError as exc:
                    if on_error is None:
                        raise
                    on_error(entry, exc)

    def read(self, path: str | NtfsEntry) -> bytes:
        with self.open(path) as stream:
            return b"".join(_chunks(stream, self._what(path)))

    def open(self, path: str | NtfsEntry) -> BinaryIO:
        """The content of a file as a seekable stream. Raises PathMissing, DiskError."""
        what = self._what(path)
        with faults_as_disk_errors(what):
            _, record = self._lookup(path)
            if record.is_dir():
                raise DiskError(f"{what} is a directory")
            if record.has_stream(_WOF_STREAM):
                raise DiskError(
                    f"{what} is stored compressed by Windows (CompactOS), a "
                    "form that winbuild cannot read",
                    hint="read it in the running guest, or undo it there: compact /u /exe FILE",
                )
            if not record.has_stream():
                return io.BytesIO()
            stream: BinaryIO = record.open()
            return stream

    def record_offset(self, number: int) -> int:
        """Where a file record lies, in bytes from the start of the partition."""
        with faults_as_disk_errors(f"file record {number} in {self._where}"):
            left = number * self.record_bytes
            for first, count in self._mft.get(0).dataruns():
                if left < count * self.cluster_bytes:
                    return int(first * self.cluster_bytes + left)
                left -= count * self.cluster_bytes
        raise DiskError(f"{self._where} has no file record {number}")

    def content_of_record(self, number: int) -> bytes:
        """The unnamed content of a file by its record number, system files included."""
        what = f"file record {number} in {self._where}"
        with faults_as_disk_errors(what):
            stream: BinaryIO = self._mft.get(number).open()
        return b"".join(_chunks(stream, what))

    def extents_of_record(self, number: int) -> tuple[Extent, ...]:
        """Everything of a file that lies outside its record, all its streams and indexes:
        where it is, in bytes from the start of the partition. Holes are left out."""
        with faults_as_disk_errors(f"file record {number} in {self._where}"):
            return tuple(
                Extent(first * self.cluster_bytes, count * self.cluster_bytes)
                for attributes in self._mft.get(number).attributes.values()
                for attribute in attributes
                if not attribute.resident
                for first, count in attribute.dataruns()
                if first is not None
            )

    def copy_out(self, path: str, dest: Path) -> None:
        """Copy a file to the file `dest`, or a directory with all below it to the directory
        `dest` (made if need be). Links below it are left out; times are kept."""
        with faults_as_disk_errors(self._what(path)):
            top = entry_of(*self._lookup(path))
        if not top.is_dir:
            self._copy_file(top, dest)
            return
        dest.mkdir(parents=True, exist_ok=True)
        for entry in self.walk(top):
            target = dest / entry.path[len(top.path) :].lstrip("/")
            if entry.is_link:
                continue
            if entry.is_dir:
                target.mkdir(exist_ok=True)
            else:
                self._copy_file(entry, target)

    def _copy_file(self, entry: NtfsEntry, dest: Path) -> None:
        with unfinished(dest) as temp:
            with self.open(entry) as source, temp.open("wb") as sink:
                for chunk in _chunks(source, self._what(entry)):
                    sink.write(chunk)
            os.utime(temp, ns=(entry.mtime_ns, entry.mtime_ns))

    def _what(self, path: str | NtfsEntry) -> str:
        return f"{path if isinstance(path, str) else path.path} in {self._where}"

    def _lookup(self, path: str | NtfsEntry) -> tuple[str, MftRecord]:
        """The true path and the record, through a link if there is one."""
        if isinstance(path, str):
            true_path, record = self._find(path)
        else:
            true_path, record = path.path, self._mft.get(path.record_number)
        return self._follow(true_path, record, 0) if is_link(record) else (true_path, record)

    def _find(self, path: str, links: int = 0) -> tuple[str, MftRecord]:
        """The true path and the record. A link is followed unless it is the last part."""
        true_path, record = "", self._root
        for part in ntpath.splitdrive(path.replace("/", "\\"))[1].split("\\"):
            if part in ("", "."):
                continue
            if is_link(record):
                true_path, record = self._follow(true_path, record, links)
            found = child(record, part) if record.is_dir() else None
            if found is None:
                raise PathMissing(
                    f"{path} does not exist in {self._where}",
                    hint=f"look at what is there: -ls /{true_path}",
                )
            true_path = f"{true_path}/{found.name}".lstrip("/")
            record = self._mft.get(found.record_number)
        return true_path, record

    def _follow(self, path: str, record: MftRecord, links: int) -> tuple[str, MftRecord]:
        """Go through a junction or link. Its target is taken to be on this same volume."""
        if links >= _MAX_LINKS:
            raise DiskError(f"{path} in {self._where} leads through links in a circle")
        target = str(record.reparse_point_substitute_name).removeprefix("\\??\\")
        if not target.startswith("\\") and target[1:2] != ":":
            target = ntpath.join("\\" + ntpath.dirname(path.replace("/", "\\")), target)
        true_path, found = self._find(ntpath.normpath(target), links + 1)
        return self._follow(true_path, found, links + 1) if is_link(found) else (true_path, found)

    def _children(self, parent: str, record: MftRecord) -> Iterator[NtfsEntry]:
        faults = read_faults()
        for each in names_in(record):
            name = each.name
            if name in (".", "..") or "/" in name or "\0" in name:
                continue  # Windows never makes them; they would lead out of a folder of the host
            if not parent and each.record_number < _FIRST_USER_RECORD:
                continue  # $MFT and its like
            path = f"{parent}/{name}" if parent else name
            try:
                yield self._entry(path, each.record_number)
            except faults:
                # Damaged, or being changed by a running guest: what its folder says of it.
                yield entry_of_index(path, each)

    def _entry(self, path: str, number: int) -> NtfsEntry:
        """As entry_of, but several times faster where a file fits into one record."""
        self._mft.fh.seek(number * self.record_bytes)
        summary = summarise(unprotect(self._mft.fh.read(self.record_bytes)))
        if summary is None:
            return entry_of(path, self._mft.get(number))
        return entry_of_summary(path, number, summary)


def _chunks(stream: BinaryIO, what: str) -> Iterator[bytes]:
    """The whole content, piece by piece. DiskError if the image ends before it does."""
    left = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    while left:
        with faults_as_disk_errors(what):
            chunk = stream.read(min(left, _COPY_CHUNK_BYTES))
        if not chunk:
            raise DiskError(f"{what} cannot be read to its end: {left} bytes are missing")
        left -= len(chunk)
        yield chunk
