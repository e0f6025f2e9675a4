"""Real mounts where this user may; elsewhere the error that says what to do instead."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from ntfs_disks import (
    MIB,
    WINDOWS_TREE,
    assert_sound,
    extract,
    make_disk,
    make_volume,
    mark_dirty,
    qemu_holding,
)

from winbuild.disk.mount import mount_fat, mount_ntfs, require_fuse, unmount
from winbuild.disk.ntfs import open_ntfs
from winbuild.disk.partitions import Partition, partition_by_number
from winbuild.errors import DiskError, HostError
from winbuild.host import Host

pytestmark = pytest.mark.real

HOST = Host()


def may_mount() -> bool:
    try:
        require_fuse()
    except HostError:
        return False
    return True


class Disk:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.image = make_disk(
            folder / "win, 2012.raw", make_volume(folder / "v", 16 * MIB, WINDOWS_TREE)
        )
        self.partition = partition_by_number(self.image, 1)
        self.mountpoint = folder / "windows 'disk'"
        self.state = folder / ".mount"

    def mount(self, *, writable: bool) -> None:
        mount_ntfs(HOST, self.image, self.partition, self.mountpoint, self.state, writable=writable)

    def unmount(self) -> bool:
        return unmount(HOST, self.mountpoint, self.state)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / '日本 "x"')
    yield made
    if may_mount():
        made.unmount()


def test_without_the_fuse_device_the_hint_names_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"no access to .*/fuse") as caught:
        require_fuse(device=tmp_path / "fuse")
    assert "-ls PATH" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("settings", "may"),
    [
        ("#user_allow_other\n", False),
        ("mount_max = 9\nuser_allow_other # for VMs\n", True),
        (None, False),
    ],
)
def test_a_plain_user_needs_user_allow_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str | None, may: bool
) -> None:
    device, conf = tmp_path / "fuse", tmp_path / "fuse.conf"
    device.touch()
    if settings is not None:
        conf.write_text(settings)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if may:
        require_fuse(device=device, settings=conf)
        return
    with pytest.raises(HostError, match="user_allow_other") as caught:
        require_fuse(device=device, settings=conf)
    assert "-get PATH" in (caught.value.hint or "")


needs_fuse = pytest.mark.skipif(
    not may_mount() and "CI" not in os.environ, reason="this user may not mount through FUSE"
)


@needs_fuse
def test_read_only(disk: Disk) -> None:
    disk.mount(writable=False)
    for path, content in WINDOWS_TREE.items():
        assert (disk.mountpoint / path).read_bytes() == content
    with pytest.raises(OSError, match="Read-only"):
        (disk.mountpoint / "new.txt").write_bytes(b"x")
    with pytest.raises(DiskError, match="mounted already") as caught:
        disk.mount(writable=False)
    assert caught.value.hint == "undo it with -umount"
    assert disk.unmount()
    assert not disk.state.exists()
    assert not disk.unmount()
    assert list(disk.mountpoint.iterdir()) == []


@needs_fuse
def test_what_is_written_is_in_the_image_afterwards(disk: Disk, tmp_path: Path) -> None:
    disk.mount(writable=True)
    (disk.mountpoint / "Windows/new folder").mkdir()
    (disk.mountpoint / "Windows/new folder/x.txt").write_bytes(b"y" * 50000)
    assert disk.unmount()
    with open_ntfs(disk.image, disk.partition) as volume:
        assert volume.read("Windows/new folder/x.txt") == b"y" * 50000
    assert_sound(extract(disk.image, 1, tmp_path / "extracted"))


@needs_fuse
def test_a_folder_in_use_is_not_torn_away(disk: Disk) -> None:
    disk.mount(writable=False)
    with (
        (disk.mountpoint / "Windows/DtcInstall.log").open("rb"),
        pytest.raises(DiskError, match="cannot be unmounted") as caught,
    ):
        disk.unmount()
    assert "leave that folder" in (caught.value.hint or "")
    assert (disk.mountpoint / "Windows").is_dir()
    assert disk.unmount()


@needs_fuse
def test_a_dirty_volume_is_mounted_read_only_at_most(disk: Disk) -> None:
    mark_dirty(disk.image, disk.partition)
    with pytest.raises(DiskError, match="not shut down properly"):
        disk.mount(writable=True)
    disk.mount(writable=False)
    assert (disk.mountpoint / "Windows").is_dir()


@needs_fuse
def test_an_image_that_a_vm_uses_is_not_mounted_for_writing(disk: Disk, tmp_path: Path) -> None:
    with qemu_holding(disk.image, tmp_path):
        with pytest.raises(DiskError, match="in use by a VM"):
            disk.mount(writable=True)
        assert not os.path.ismount(disk.mountpoint)
        disk.mount(writable=False)
        assert (disk.mountpoint / "Windows").is_dir()
        disk.unmount()


@needs_fuse
def test_a_killed_storage_daemon_is_cleared_away(disk: Disk) -> None:
    disk.mount(writable=False)
    os.kill(int((disk.state / "pid").read_text()), signal.SIGKILL)
    assert disk.unmount()
    assert not disk.state.exists()
    disk.mount(writable=False)
    assert (disk.mountpoint / "Windows").is_dir()


def test_the_metadata_disk_is_for_root_to_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match="only root") as caught:
        mount_fat(HOST, tmp_path / "x", Partition(1, 512, 512, "0c", active=False), tmp_path / "m")
    assert "-get PATH" in (caught.value.hint or "")
