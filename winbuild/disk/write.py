"""Puts files into the NTFS partition of a raw image, as any user and without FUSE.

ntfscp (ntfs-3g) does the writing, on an excerpt of the partition (see ntfs_excerpt.py); the
image itself is changed only at the end, by the blocks that differ. A winbuild killed in that
last moment leaves the finished work beside the image, and the next call completes it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.disk.image import Extent
from winbuild.disk.in_use import require_not_in_use
from winbuild.disk.ntfs import NtfsVolume, PathMissing, open_ntfs
from winbuild.disk.ntfs_3g import NtfsToolFailed, run_ntfs_3g
from winbuild.disk.ntfs_excerpt import (
    Excerpt,
    apply_changes,
    changes,
    make_excerpt,
    reserve_space,
)
from winbuild.disk.ntfs_security import restrict_access
from winbuild.disk.partitions import Partition
from winbuild.errors import DiskError
from winbuild.host import Host

_FORBIDDEN = frozenset('<>:"/\\|?*')
_RESERVED = frozenset(
    (
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{name}{digit}" for name in ("com", "lpt") for digit in "123456789"),
    )
)
_MAX_NAME_UNITS = 255
# How long after it was begun an interrupted write may be completed. The image is compared by
# its time of change, so that nothing old gets into a disk that a VM has used since.
_COMPLETE_WITHIN_S = 30.0


def write_files(host: Host, image: Path, partition: Partition, files: Mapping[str, bytes]) -> None:
    """Create the files, or replace their content: Windows path → content.

    Their folders must exist. All or none: on an error the image is as before. Raises
    DiskError (also if a VM uses the image), PathMissing, HostError (ntfs-3g is not installed).
    """
    host.find("ntfscp")
    require_not_in_use(image)
    work = _work_folder(image)
    _complete_interrupted(image, work)
    work.mkdir(mode=0o700)
    try:
        excerpt, found = _prepare(host, image, partition, files, work)
        reserve_space(image, partition.start_bytes, found)
        _write_journal(work, partition.start_bytes, found)
    except BaseException:
        shutil.rmtree(work)
        raise
    apply_changes(excerpt.path, image, partition.start_bytes, found)
    shutil.rmtree(work)


def _prepare(
    host: Host, image: Path, partition: Partition, files: Mapping[str, bytes], work: Path
) -> tuple[Excerpt, list[Extent]]:
    """Write the files into an excerpt; give it with what has to go into the image."""
    with open_ntfs(image, partition) as volume:
        _require_writable(volume, image)
        targets = [_target(volume, path) for path in files]
        records = [number for target in targets for number in target.records]
        excerpt = make_excerpt(volume, image, partition, work / "partition", records)
    for target, content in zip(targets, files.values(), strict=True):
        _copy_in(host, excerpt.path, target.path, content, work / "content")
    whole = Partition(1, 0, partition.size_bytes, partition.type_code, active=False)
    with open_ntfs(excerpt.path, whole) as volume:
        for target, content in zip(targets, files.values(), strict=True):
            if target.is_new:
                restrict_access(excerpt.path, volume, target.path)
            if volume.read(target.path) != content:
                raise DiskError(f"{target.path} did not arrive intact, so nothing was written")
    return excerpt, changes(excerpt)


@dataclass(frozen=True)
class _Target:
    path: str
    """With `/` at its start, every name as it is in the volume: ntfscp minds the case."""
    records: tuple[int, ...]
    """The file records of the folders on the way and, if it exists, of the file."""
    is_new: bool


def _target(volume: NtfsVolume, path: str) -> _Target:
    folder, _, name = path.replace("\\", "/").rpartition("/")
    _check_name(name, path)
    try:
        parent = volume.entry(folder)
    except PathMissing as exc:
        raise PathMissing(f"{path} cannot be written: {exc.message}", hint=exc.hint) from exc
    if not parent.is_dir or parent.is_link:
        raise DiskError(f"{path} cannot be written: {folder} is no folder (but a file or a link)")
    names = parent.path.split("/") if parent.path else []
    folders = ["/".join(names[:depth]) for depth in range(len(names) + 1)]
    records = [volume.entry(each).record_number for each in folders]
    true_path = f"{parent.path}/{name}".lstrip("/")
    is_new = not volume.exists(true_path)
    if not is_new:
        old = volume.entry(true_path)
        if old.is_dir or old.is_link:
            raise DiskError(f"{path} cannot be written: there is a folder or a link of that name")
        records.append(old.record_number)
        true_path = old.path
    return _Target(f"/{true_path}", tuple(records), is_new)


def _check_name(name: str, path: str) -> None:
    """Raise DiskError for a name that Windows could not use."""
    stem = name.split(".")[0].rstrip().lower()
    units = len(name.encode("utf-16-le", "surrogatepass")) // 2
    bad = (
        not name
        or units > _MAX_NAME_UNITS
        or name[-1] in " ."
        or stem in _RESERVED
        or any(
            char in _FORBIDDEN or ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in name
        )
    )
    if bad:
        raise DiskError(f"{path!r} cannot be written: Windows allows no file of that name")


def _require_writable(volume: NtfsVolume, image: Path) -> None:
    state = volume.state()
    if state.hibernated:
        raise DiskError(
            f"Windows in {image} is hibernated (or shut down with fast startup), so its disk must "
            "not be changed from outside",
            hint="boot it and shut it down fully: shutdown /s /t 0",
        )
    if state.dirty:
        raise DiskError(
            f"Windows has marked its disk in {image} for checking, so it must not be changed from "
            "outside",
            hint="boot it, let chkdsk finish, and shut it down",
        )


def _copy_in(host: Host, volume: Path, path: str, content: bytes, source: Path) -> None:
    source.write_bytes(content)
    try:
        run_ntfs_3g(host, ["ntfscp", "-q", "-t", volume, source, path])
    except NtfsToolFailed as exc:
        full = "No space left on device" in exc.message
        raise DiskError(
            f"{path} could not be written into the Windows partition: "
            + ("that partition is full" if full else exc.message),
            hint="the image is unchanged"
            if full
            else "if Windows was not shut down properly, boot it and shut it down, then try again",
        ) from exc


def _work_folder(image: Path) -> Path:
    return image.with_name(f".{image.name}.writing")


def _write_journal(work: Path, start_bytes: int, found: list[Extent]) -> None:
    fd = os.open(work / "partition", os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    journal = {"start": start_bytes, "extents": [[each.start, each.length] for each in found]}
    write_atomic(work / "journal.json", json.dumps(journal), mode=0o600)


def _complete_interrupted(image: Path, work: Path) -> None:
    """Finish what a killed winbuild had begun to write, or clear it away."""
    with suppress(FileNotFoundError):
        begun = work / "journal.json"
        begun_at = begun.stat().st_mtime
        if image.stat().st_mtime < begun_at + _COMPLETE_WITHIN_S:
            journal = json.loads(begun.read_text())
            found = [Extent(start, length) for start, length in journal["extents"]]
            apply_changes(work / "partition", image, journal["start"], found)
    if work.exists():
        shutil.rmtree(work)
