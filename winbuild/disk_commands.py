"""The words about the Windows disk: -ls, -get, -mtu, -mount, -updatescripts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from winbuild import boots
from winbuild.disk import logs
from winbuild.disk import mount as mounts
from winbuild.disk.logs import LogReport
from winbuild.disk.ntfs import NtfsVolume, open_ntfs
from winbuild.disk.partitions import partition_by_number
from winbuild.disk.windows import windows_partition
from winbuild.errors import DiskError, UsageError
from winbuild.first_boot import METADATA_DISK
from winbuild.guest.scripts import SCRIPTS_FOLDER, installed_scripts
from winbuild.session import Session

if TYPE_CHECKING:
    from winbuild.disk.partitions import Partition


@contextmanager
def _volume(session: Session) -> Iterator[NtfsVolume]:
    image = _image(session)
    with open_ntfs(image, windows_partition(image)) as volume:
        yield volume


def _image(session: Session) -> Path:
    image = session.builddir.image
    if not image.exists():
        raise DiskError(
            f"there is no disk yet: {image.name} is made by the step {boots.INSTALL_STEP}",
            hint=f"where the build stands: {session.builddir.command}",
        )
    return image


def list_folder(session: Session, path: str) -> list[dict[str, Any]]:
    """Name, size in bytes, time of change and kind of everything in a folder."""
    with _volume(session) as volume:
        return [
            {
                "name": entry.name,
                "folder": entry.is_dir,
                "size": entry.size_bytes,
                "modified": _time_text(entry.mtime_ns),
            }
            for entry in volume.list(path)
        ]


def _time_text(mtime_ns: int) -> str:
    """Local time, since that is what the host's own `ls` prints."""
    return dt.datetime.fromtimestamp(mtime_ns / 1e9).strftime("%Y-%m-%d %H:%M")


def read_file(session: Session, path: str) -> bytes:
    with _volume(session) as volume:
        return volume.read(path)


def copy_out(session: Session, path: str, dest: Path) -> Path:
    """Copy a file or a whole folder; into `dest` if that is a directory. Returns the copy."""
    name = PureWindowsPath(path).name
    if dest.is_dir():
        if not name:
            raise UsageError("the whole partition cannot go into a folder; name a path in it")
        dest = dest / name
    with _volume(session) as volume:
        volume.copy_out(path, dest)
    return dest


def tar_logs(session: Session, file: Path) -> LogReport:
    image = _image(session)
    return logs.collect_logs(image, windows_partition(image), file, session.ui)


def mount(session: Session, *, writable: bool) -> Path:
    """Mount the Windows partition on mntdir/ in the build directory."""
    image = _image(session)
    place, _ = session.builddir.mountpoints()
    with session.builddir.lock("-mountrw" if writable else "-mount"):
        if writable:
            boots.require_off(session.context())
        mounts.mount_ntfs(
            session.host,
            image,
            windows_partition(image),
            place,
            _mount_state(place),
            writable=writable,
        )
    return place


def mount_metadata(session: Session) -> Path:
    """Mount the metadata disk on mntdir-metadata/ in the build directory."""
    disk = session.builddir.file(METADATA_DISK)
    if not disk.exists():
        raise DiskError("there is no metadata disk yet: step 1001 makes it")
    _, place = session.builddir.mountpoints()
    mounts.mount_fat(session.host, disk, partition_by_number(disk, 1), place)
    return place


def unmount(session: Session) -> list[Path]:
    """Unmount what is mounted in the build directory; returns the places."""
    places = session.builddir.mountpoints()
    return [place for place in places if mounts.unmount(session.host, place, _mount_state(place))]


def _mount_state(place: Path) -> Path:
    return place.with_name(f".{place.name}.state")


def update_scripts(session: Session) -> list[str]:
    """Replace the guest scripts in the image by the present ones; SetupComplete.cmd becomes
    the first-boot version. Returns the paths that were written."""
    image = _image(session)
    with session.builddir.lock("-updatescripts"):
        boots.require_off(session.context())
        return _write_scripts(session, image, windows_partition(image))


def _write_scripts(session: Session, image: Path, partition: Partition) -> list[str]:
    from winbuild.disk.write import write_files

    files = {f"{SCRIPTS_FOLDER}/{name}": text for name, text in installed_scripts().items()}
    write_files(session.host, image, partition, files)
    return sorted(files)
