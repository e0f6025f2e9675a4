"""A partition in small: a sparse file in which only the parts that matter are filled in.

The tools of ntfs-3g change an NTFS volume only in a file of its own, and copying a whole
partition out of an image and back takes minutes. So they get an excerpt: a sparse file of the
partition's size with the file system's own structures and the files in question; all else is
holes. What a tool has changed there is then found by comparison and written into the image. This
needs neither root nor FUSE, and the image stays untouched until all has gone well.

Clusters that are in use but were not copied are never written back: had a tool touched one, the
excerpt would not do for it, and `changes` refuses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from winbuild.disk.image import Extent, extents_of_fd
from winbuild.disk.ntfs import NtfsVolume
from winbuild.disk.partitions import Partition
from winbuild.errors import DiskError

_RECORD_BITMAP = 6
_RECORD_BAD_CLUSTERS = 8
_RECORD_EXTEND = 11
_SYSTEM_RECORDS = tuple(number for number in range(12) if number != _RECORD_BAD_CLUSTERS)
_CHUNK_BYTES = 1 << 20
_COMPARE_BYTES = 4096


@dataclass(frozen=True)
class Excerpt:
    """`copied` and all offsets are in bytes from the start of the partition."""

    path: Path
    image: Path
    partition: Partition
    copied: tuple[Extent, ...]
    cluster_bytes: int
    cluster_map: bytes
    """One bit for each cluster, the lowest first: was it in use when the excerpt was made?"""


def make_excerpt(
    volume: NtfsVolume, image: Path, partition: Partition, dest: Path, records: Sequence[int]
) -> Excerpt:
    """Copy the file system's structures and the files and directories `records` to `dest`."""
    extents = [Extent(0, 8192), Extent(partition.size_bytes - 4096, 4096)]  # both boot sectors
    for number in {*_SYSTEM_RECORDS, *records}:
        extents += volume.extents_of_record(number)
    copied = tuple(_merged(extents, partition.size_bytes))
    with image.open("rb") as source, dest.open("xb") as sink:
        os.truncate(sink.fileno(), partition.size_bytes)
        for extent in copied:
            _copy(source.fileno(), partition.start_bytes, sink.fileno(), extent)
    return Excerpt(
        path=dest,
        image=image,
        partition=partition,
        copied=copied,
        cluster_bytes=volume.cluster_bytes,
        cluster_map=volume.content_of_record(_RECORD_BITMAP),
    )


def changes(excerpt: Excerpt) -> list[Extent]:
    """What differs from the image, in order. Raises DiskError if that cannot be told safely."""
    found: list[Extent] = []
    with excerpt.image.open("rb") as image, excerpt.path.open("rb") as stream:
        filled = extents_of_fd(stream.fileno())
        for extent in _intersection(filled, excerpt.copied):
            found += _differences(
                image.fileno(), excerpt.partition.start_bytes, stream.fileno(), extent
            )
        for extent in _difference(filled, excerpt.copied):
            for new in _new_clusters(excerpt, stream.fileno(), extent):
                found += _differences(
                    image.fileno(), excerpt.partition.start_bytes, stream.fileno(), new
                )
    return list(_merged(found, excerpt.partition.size_bytes))


def reserve_space(image: Path, start_bytes: int, found: Sequence[Extent]) -> None:
    """Have the host allocate what `apply_changes` will write, so that a full disk shows now."""
    try:
        with image.open("r+b") as stream:
            for extent in found:
                os.posix_fallocate(stream.fileno(), start_bytes + extent.start, extent.length)
    except OSError as exc:
        raise DiskError(
            f"the changes do not fit on the disk that holds {image}: {exc.strerror}",
            hint=f"free some room under {image.parent}; the image is unchanged",
        ) from exc


def apply_changes(
    excerpt_path: Path, image: Path, start_bytes: int, found: Sequence[Extent]
) -> None:
    """Write the extents `found` from the excerpt into the image's partition at `start_bytes`."""
    with excerpt_path.open("rb") as source, image.open("r+b") as sink:
        for extent in found:
            for offset, length in _pieces(extent):
                piece = os.pread(source.fileno(), length, offset)
                os.pwrite(sink.fileno(), piece, start_bytes + offset)
        os.fsync(sink.fileno())


def _copy(source: int, source_start: int, sink: int, extent: Extent) -> None:
    for offset, length in _pieces(extent):
        piece = os.pread(source, length, source_start + offset)
        if len(piece) != length:
            raise DiskError("the image is cut off inside the file system's own structures")
        os.pwrite(sink, piece, offset)


def _differences(image: int, image_start: int, excerpt: int, extent: Extent) -> Iterator[Extent]:
    for offset, length in _pieces(extent):
        old = os.pread(image, length, image_start + offset)
        new = os.pread(excerpt, length, offset)
        if old == new:
            continue
        for at in range(0, length, _COMPARE_BYTES):
            if old[at : at + _COMPARE_BYTES] != new[at : at + _COMPARE_BYTES]:
                yield Extent(offset + at, min(_COMPARE_BYTES, length - at))


def _new_clusters(excerpt: Excerpt, stream: int, extent: Extent) -> Iterator[Extent]:
    """The formerly free clusters in an extent that was a hole at first.

    File systems fill holes by blocks, which may be larger than a cluster: so neighbouring
    clusters, in use and not copied, show up here as zeros.
    """
    size = excerpt.cluster_bytes
    at = extent.start
    while at < extent.end:
        cluster = at // size
        piece_end = min((cluster + 1) * size, extent.end)
        if not _was_in_use(excerpt.cluster_map, cluster):
            yield Extent(at, piece_end - at)
        elif any(os.pread(stream, piece_end - at, at)):
            raise DiskError(
                f"cluster {cluster} of partition {excerpt.partition.number} of {excerpt.image} was "
                "changed unexpectedly, so nothing was written",
                hint="check the file system: boot the image and run chkdsk",
            )
        at = piece_end


def _was_in_use(cluster_map: bytes, cluster: int) -> bool:
    """What lies behind the last cluster is never free."""
    if cluster // 8 >= len(cluster_map):
        return True
    return bool(cluster_map[cluster // 8] >> cluster % 8 & 1)


def _pieces(extent: Extent) -> Iterator[tuple[int, int]]:
    for offset in range(extent.start, extent.end, _CHUNK_BYTES):
        yield offset, min(_CHUNK_BYTES, extent.end - offset)


def _merged(extents: Sequence[Extent], limit: int) -> Iterator[Extent]:
    """Sorted, without overlaps, adjoining ones made one; DiskError if one ends behind `limit`."""
    current: Extent | None = None
    for extent in sorted(extents, key=lambda each: each.start):
        if extent.start < 0 or extent.end > limit:
            raise DiskError("the file system uses clusters behind the end of its partition")
        if current and extent.start <= current.end:
            end = max(current.end, extent.end)
            current = Extent(current.start, end - current.start)
        else:
            if current:
                yield current
            current = extent
    if current:
        yield current


def _intersection(left: Sequence[Extent], right: Sequence[Extent]) -> Iterator[Extent]:
    """Both lists sorted and without overlaps."""
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i].start, right[j].start), min(left[i].end, right[j].end)
        if start < end:
            yield Extent(start, end - start)
        if left[i].end <= right[j].end:
            i += 1
        else:
            j += 1


def _difference(left: Sequence[Extent], right: Sequence[Extent]) -> Iterator[Extent]:
    """What is in `left` but not in `right`; both sorted and without overlaps."""
    j = 0
    for extent in left:
        at = extent.start
        while j < len(right) and right[j].end <= at:
            j += 1
        k = j
        while k < len(right) and right[k].start < extent.end:
            if right[k].start > at:
                yield Extent(at, right[k].start - at)
            at = max(at, right[k].end)
            k += 1
        if at < extent.end:
            yield Extent(at, extent.end - at)
