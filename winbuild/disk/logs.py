"""Takes the log files of Windows out of a disk image into one tar.gz."""

from __future__ import annotations

import gzip
import io
import tarfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.disk.ntfs import NtfsVolume, PathMissing, open_ntfs
from winbuild.disk.ntfs_tree import NtfsEntry
from winbuild.disk.partitions import Partition
from winbuild.errors import DiskError
from winbuild.ui import Ui

_TABLE = Path(__file__).with_name("log_paths.toml")
_NS = 10**9


@dataclass(frozen=True)
class LogReport:
    """`collected` names every file in the archive, `missing` the wanted paths that the disk does
    not have, `unreadable` the files that could not be read, each with the reason."""

    collected: tuple[str, ...]
    missing: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...] = ()


def log_paths() -> tuple[str, ...]:
    return tuple(tomllib.loads(_TABLE.read_text())["paths"])


def collect_logs(
    image: Path,
    partition: Partition,
    dest: Path,
    ui: Ui,
    *,
    paths: Sequence[str] | None = None,
) -> LogReport:
    """Write the logs in `partition` (the Windows partition) of `image` to `dest`, a tar.gz.

    `paths` are Windows paths of files or folders (default: the table log_paths.toml). Names in
    the archive are as in Windows, with `/`. What is missing or unreadable is said and reported.
    Raises DiskError if there is no NTFS volume to read.
    """
    wanted = log_paths() if paths is None else paths
    collected: list[str] = []
    missing: list[str] = []
    unreadable: list[tuple[str, str]] = []

    def leave_out(entry: NtfsEntry, exc: DiskError) -> None:
        unreadable.append((entry.path, exc.message))

    with (
        open_ntfs(image, partition) as volume,
        ui.progress("collecting logs", len(wanted), "paths") as progress,
        unfinished(dest, mode=0o600) as temp,
        temp.open("wb") as raw,
        # No name and no time in the header: the same logs give the same file.
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in wanted:
            progress.advance(1)
            entries = _under(volume, path, leave_out)
            if entries is None:
                missing.append(path)
                continue
            for entry in entries:
                try:
                    _add(archive, volume, entry)
                except DiskError as exc:
                    leave_out(entry, exc)
                    continue
                if not entry.is_dir:
                    collected.append(entry.path)
    for path in missing:
        ui.say(f"not on this disk (normal for some): {path}")
    for _, message in unreadable:
        ui.say(f"left out: {message}")
    return LogReport(tuple(collected), tuple(missing), tuple(unreadable))


def _under(
    volume: NtfsVolume, path: str, on_error: Callable[[NtfsEntry, DiskError], None]
) -> list[NtfsEntry] | None:
    """The file, or the folder and everything below it; None if there is nothing."""
    try:
        top = volume.entry(path)
    except PathMissing:
        return None
    if not top.is_dir:
        return [top]
    below = volume.walk(top, on_error=on_error)
    return [top, *(entry for entry in below if not entry.is_link)]


def _add(archive: tarfile.TarFile, volume: NtfsVolume, entry: NtfsEntry) -> None:
    member = tarfile.TarInfo(entry.path)
    member.mtime = entry.mtime_ns // _NS
    if entry.is_dir:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
        return
    content = volume.read(entry)  # as a whole, so that a bad file adds nothing to the archive
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))
