"""Real mounts of a disk image's partitions, through FUSE, for who may.

qemu-storage-daemon shows the partition as a file (its FUSE export), ntfs-3g mounts that file.
What Linux allows decides: ntfs-3g is installed set-user-id root, and root may look into a user's
own FUSE file only if /etc/fuse.conf says user_allow_other. So this works for root, and for others
where that line is set; everybody else has `-ls` and `-get`, which need no mount. Seen on Debian 12
with ntfs-3g 2022.10.3, fuse3 3.14 and QEMU 7.2. FAT is mounted by the kernel, which only root may
ask for.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from winbuild.deadline import Deadline
from winbuild.disk.ntfs import open_ntfs
from winbuild.disk.ntfs_3g import NtfsToolFailed, run_ntfs_3g
from winbuild.disk.partitions import Partition
from winbuild.errors import CommandError, DiskError, HostError, WinbuildError
from winbuild.host import Host

_FUSE_DEVICE = Path("/dev/fuse")
_FUSE_SETTINGS = Path("/etc/fuse.conf")
_TOOL_TIMEOUT_S = 60.0
_UNMOUNT_LIMIT_S = 30.0
_POLL_S = 0.05
_NO_MOUNT_HINT = "look at files with -ls PATH and copy them with -get PATH, which need no mount"


def require_fuse(*, device: Path = _FUSE_DEVICE, settings: Path = _FUSE_SETTINGS) -> None:
    """Raise HostError, with the remedy and the way without, if this user cannot mount."""
    if not os.access(device, os.R_OK | os.W_OK):
        raise HostError(
            f"this user may not mount: there is no access to {device}", hint=_NO_MOUNT_HINT
        )
    if os.geteuid() != 0 and not _others_allowed(settings):
        raise HostError(
            f"this user may not mount: {settings} does not say user_allow_other",
            hint=f"{_NO_MOUNT_HINT}; or have root add the line user_allow_other to {settings}",
        )


def _others_allowed(settings: Path) -> bool:
    try:
        lines = settings.read_text().splitlines()
    except OSError:
        return False
    return any(line.split("#")[0].strip() == "user_allow_other" for line in lines)


def mount_ntfs(
    host: Host,
    image: Path,
    partition: Partition,
    mountpoint: Path,
    state_dir: Path,
    *,
    writable: bool = False,
) -> None:
    """Mount an NTFS partition on the folder `mountpoint` (made if need be).

    `state_dir` is a folder of winbuild's own for what `unmount` needs. Raises HostError where the
    user may not, DiskError if the image is in use or must not be written to.
    """
    require_fuse()
    state_dir = state_dir.absolute()
    for tool in ("qemu-storage-daemon", "ntfs-3g", "fusermount3"):
        host.find(tool)
    with open_ntfs(image, partition) as volume:
        state = volume.state()
    if writable and (state.dirty or state.hibernated):
        raise DiskError(
            f"Windows in {image} was not shut down properly, so its disk must not be changed",
            hint="boot it and shut it down fully, or mount it read-only with -mount",
        )
    _require_unmounted(mountpoint)
    mountpoint.mkdir(parents=True, exist_ok=True)
    _stop_export(host, state_dir)
    shutil.rmtree(state_dir, ignore_errors=True)
    state_dir.mkdir(mode=0o700, parents=True)
    view = state_dir / "partition"
    view.touch(mode=0o600)
    try:
        argv = _export_argv(image, partition, view, state_dir / "pid", writable=writable)
        host.run(argv, timeout_s=_TOOL_TIMEOUT_S)
        mode = "rw" if writable else "ro"
        run_ntfs_3g(host, ["ntfs-3g", "-o", mode, view, mountpoint])
    except BaseException as exc:
        _stop_export(host, state_dir)
        shutil.rmtree(state_dir, ignore_errors=True)
        if isinstance(exc, (CommandError, NtfsToolFailed)):
            raise _why_not_mounted(exc, image) from exc
        raise


def mount_fat(
    host: Host, image: Path, partition: Partition, mountpoint: Path, *, writable: bool = False
) -> None:
    """Mount a FAT partition (the metadata disk) by the kernel. Only for root: else HostError."""
    if os.geteuid() != 0:
        raise HostError("only root may mount the metadata disk", hint=_NO_MOUNT_HINT)
    _require_unmounted(mountpoint)
    mountpoint.mkdir(parents=True, exist_ok=True)
    options = [f"offset={partition.start_bytes}", f"sizelimit={partition.size_bytes}", "loop"]
    options.append("rw" if writable else "ro")
    argv = ["mount", "-t", "vfat", "-o", ",".join(options), str(image), str(mountpoint)]
    try:
        host.run(argv, timeout_s=_TOOL_TIMEOUT_S)
    except CommandError as exc:
        raise HostError(f"the metadata disk cannot be mounted: {exc.message}") from exc


def unmount(host: Host, mountpoint: Path, state_dir: Path) -> bool:
    """Undo either mount, writing everything back. False if nothing was mounted.

    Raises DiskError if the folder is in use.
    """
    mounted = os.path.ismount(mountpoint)
    if mounted:
        command = ["umount"] if os.geteuid() == 0 else ["fusermount3", "-u"]
        try:
            host.run([*command, str(mountpoint)], timeout_s=_UNMOUNT_LIMIT_S)
        except CommandError as exc:
            raise DiskError(
                f"{mountpoint} cannot be unmounted: {exc.message}",
                hint=f"leave that folder in every shell and program (see: fuser -vm {mountpoint})",
            ) from exc
    _wait_for_ntfs_3g(state_dir.absolute() / "partition")
    _stop_export(host, state_dir)
    shutil.rmtree(state_dir, ignore_errors=True)
    return mounted


def _wait_for_ntfs_3g(view: Path) -> None:
    """Unmounting returns at once; the ntfs-3g that read `view` then writes back and ends."""
    deadline = Deadline(_UNMOUNT_LIMIT_S)
    while _runs_for(view):
        deadline.check(f"ntfs-3g to write back what was changed in {view}")
        time.sleep(_POLL_S)


def _runs_for(view: Path) -> bool:
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit():
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"ntfs-3g") and os.fsencode(view) in words:
                    return True
    return False


def _require_unmounted(mountpoint: Path) -> None:
    if os.path.ismount(mountpoint):
        raise DiskError(f"{mountpoint} is mounted already", hint="undo it with -umount")


def _export_argv(
    image: Path, partition: Partition, view: Path, pid_file: Path, *, writable: bool
) -> list[str]:
    """qemu-storage-daemon's command line. Read-only goes along with a VM that uses the disk."""
    file = {
        "driver": "raw",
        "node-name": "partition",
        "offset": partition.start_bytes,
        "size": partition.size_bytes,
        "read-only": not writable,
        "force-share": not writable,
        "file": {"driver": "file", "filename": str(image.absolute())},
    }
    export = {
        "type": "fuse",
        "id": "view",
        "node-name": "partition",
        "mountpoint": str(view.absolute()),
        "writable": writable,
        "allow-other": "off" if os.geteuid() == 0 else "on",
    }
    argv = ["qemu-storage-daemon", "--daemonize", "--pidfile", str(pid_file)]
    return [*argv, "--blockdev", json.dumps(file), "--export", json.dumps(export)]


def _why_not_mounted(exc: WinbuildError, image: Path) -> WinbuildError:
    if "another process using the image" in exc.message:
        return DiskError(
            f"{image} is in use by a VM, so it cannot be mounted for writing",
            hint="shut the VM down, or mount read-only with -mount",
        )
    return HostError(f"the partition cannot be mounted: {exc.message}", hint=_NO_MOUNT_HINT)


def _stop_export(host: Host, state_dir: Path) -> None:
    """Have the storage daemon write back and end. It is known by its pid and what it runs for."""
    pid_file = state_dir.absolute() / "pid"
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(pid_file.read_text())
        if os.fsencode(pid_file) in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
            deadline = Deadline(_UNMOUNT_LIMIT_S)
            while Path(f"/proc/{pid}").exists() and not deadline.passed:
                time.sleep(_POLL_S)
    view = state_dir / "partition"
    try:
        view.stat()
    except OSError as exc:
        if exc.errno == errno.ENOTCONN:  # the daemon was killed, and its mount left behind
            host.run(["fusermount3", "-u", "-z", view], timeout_s=_TOOL_TIMEOUT_S)
