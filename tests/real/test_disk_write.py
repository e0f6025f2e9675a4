"""Writing into NTFS partitions: ntfs-3g's own tools judge the result."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Sequence
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
    run,
)

from winbuild.disk import ntfs_excerpt
from winbuild.disk.image import Extent
from winbuild.disk.label import set_ntfs_label
from winbuild.disk.ntfs import PathMissing, open_ntfs
from winbuild.disk.partitions import Partition, partition_by_number
from winbuild.disk.write import write_files
from winbuild.errors import DiskError
from winbuild.host import Host

pytestmark = pytest.mark.real

SCRIPTS = "Windows/Setup/Scripts"
COMPLETE = f"{SCRIPTS}/SetupComplete.cmd"


def make_image(folder: Path, *, cluster_bytes: int = 4096) -> tuple[Path, Partition]:
    folder.mkdir(parents=True, exist_ok=True)
    boot = make_volume(folder / "boot", 3 * MIB, label="Boot")
    system = make_volume(
        folder / "system", 24 * MIB + 512 * 7, WINDOWS_TREE, cluster_bytes=cluster_bytes
    )
    image = make_disk(folder / "win-2012.raw", boot, system)
    for leftover in folder.iterdir():
        if leftover != image:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return image, partition_by_number(image, 2)


def content_of(image: Path, partition: Partition) -> dict[str, bytes]:
    with open_ntfs(image, partition) as volume:
        return {entry.path: volume.read(entry) for entry in volume.walk() if not entry.is_dir}


def outside(image: Path, partition: Partition) -> bytes:
    whole = image.read_bytes()
    return whole[: partition.start_bytes] + whole[partition.end_bytes :]


@pytest.mark.parametrize("cluster_bytes", [512, 2048, 4096, 65536])
def test_files_are_created_and_replaced_and_all_else_stays(
    tmp_path: Path, cluster_bytes: int
) -> None:
    image, partition = make_image(tmp_path / "a, 'b' \"c\" 日本", cluster_bytes=cluster_bytes)
    around = outside(image, partition)
    dice = random.Random(cluster_bytes)
    written = {
        COMPLETE: dice.randbytes(70_000),  # was a few bytes, inside its record
        "Windows/Panther/setupact.log": b"short now",  # was 108 kB
        "Windows/System32/config/SYSTEM": b"",
        f"{SCRIPTS}/neu ü 日本.ps1": dice.randbytes(333),
        f"{SCRIPTS}/empty.cmd": b"",
        "at the root.bin": dice.randbytes(3 * MIB),
        **{f"{SCRIPTS}/script-{n:02}.cmd": dice.randbytes(n * 40) for n in range(60)},
    }
    write_files(Host(), image, partition, written)
    assert content_of(image, partition) == {**WINDOWS_TREE, **written}
    assert outside(image, partition) == around
    assert [each.name for each in image.parent.iterdir()] == [image.name]
    extracted = extract(image, 2, tmp_path / "extracted")
    assert_sound(extracted)
    listed = run("ntfsls", "--path", f"/{SCRIPTS}", extracted).splitlines()
    assert len([name for name in listed if name not in (".", "..")]) == 2 + 62


def test_the_case_of_a_path_does_not_matter_and_true_names_stay(tmp_path: Path) -> None:
    image, partition = make_image(tmp_path)
    write_files(
        Host(), image, partition, {"c:\\WINDOWS\\setup\\SCRIPTS\\setupcomplete.CMD": b"new"}
    )
    assert content_of(image, partition) == {**WINDOWS_TREE, COMPLETE: b"new"}


def test_new_files_belong_to_the_administrators_and_old_ones_keep_their_rights(
    tmp_path: Path,
) -> None:
    image, partition = make_image(tmp_path)
    before = extract(image, 2, tmp_path / "before")
    write_files(Host(), image, partition, {f"{SCRIPTS}/new.ps1": b"x", COMPLETE: b"y" * 5000})
    after = extract(image, 2, tmp_path / "after")

    def allowed(volume: Path, path: str) -> list[str]:
        lines = [line.strip() for line in run("ntfsinfo", "-F", path, volume).splitlines()]
        return [line for line in lines if line.startswith(("ACE:", "SID:", "Security ID:"))]

    assert allowed(after, f"{SCRIPTS}/new.ps1") == [
        "ACE:\t\t type:allow  flags:0x0  access:0x1f01ff",
        "SID: S-1-5-32-544",
    ]
    assert allowed(after, COMPLETE) == allowed(before, COMPLETE) != []


def test_a_fragmented_file_is_written_and_read_right(tmp_path: Path) -> None:
    """A file grows again and again while others take the room behind it."""
    image = make_disk(tmp_path / "disk", make_volume(tmp_path / "v", 12 * MIB, {"d/x": b"x"}))
    partition = partition_by_number(image, 1)
    dice = random.Random(1)
    expected = {"d/x": b"x"}
    for round_number in range(1, 5):
        files = {
            "d/grows": dice.randbytes(round_number * 60_000),
            f"d/between-{round_number}": dice.randbytes(5000),
        }
        write_files(Host(), image, partition, files)
        expected |= files
    assert content_of(image, partition) == expected
    with open_ntfs(image, partition) as volume:
        assert len(volume.extents_of_record(volume.entry("d/grows").record_number)) > 1
    assert_sound(extract(image, 1, tmp_path / "extracted"))


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    image, partition = make_image(tmp_path)
    before = image.read_bytes()
    with pytest.raises(DiskError, match=r"big could not be written .* partition is full"):
        write_files(
            Host(), image, partition, {COMPLETE: b"new", "big": bytes(range(256)) * 200_000}
        )
    assert image.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [image.name]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("Windows/Nowhere/x.cmd", "Windows/Nowhere does not exist"),
        ("Windows/DtcInstall.log/x", "no folder"),
        ("Windows/Panther", "folder or a link of that name"),
        (f"{SCRIPTS}/nul.cmd", "allows no file of that name"),
        (f"{SCRIPTS}/a:b", "allows no file of that name"),
        (f"{SCRIPTS}/ends with dot.", "allows no file of that name"),
        (f"{SCRIPTS}/{'x' * 256}", "allows no file of that name"),
        (f"{SCRIPTS}/", "allows no file of that name"),
    ],
)
def test_impossible_paths_change_nothing(tmp_path: Path, path: str, says: str) -> None:
    image, partition = make_image(tmp_path)
    before = image.read_bytes()
    with pytest.raises(DiskError, match=says) as caught:
        write_files(Host(), image, partition, {COMPLETE: b"new", path: b"x"})
    assert isinstance(caught.value, PathMissing) == ("Nowhere" in path)
    assert image.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [image.name]


def test_a_dirty_volume_is_not_written_to(tmp_path: Path) -> None:
    image, partition = make_image(tmp_path)
    mark_dirty(image, partition)
    with pytest.raises(DiskError, match="marked its disk") as caught:
        write_files(Host(), image, partition, {COMPLETE: b"new"})
    assert "chkdsk" in (caught.value.hint or "")


def test_a_hibernated_windows_is_not_written_to(tmp_path: Path) -> None:
    tree = {**WINDOWS_TREE, "hiberfil.sys": b"hibr" + bytes(5000)}
    image = make_disk(tmp_path / "disk", make_volume(tmp_path / "v", 16 * MIB, tree))
    with pytest.raises(DiskError, match="hibernated") as caught:
        write_files(Host(), image, partition_by_number(image, 1), {COMPLETE: b"new"})
    assert "shutdown /s" in (caught.value.hint or "")


def test_the_disk_of_a_running_vm_is_not_changed(tmp_path: Path) -> None:
    image, partition = make_image(tmp_path)
    before = image.read_bytes()
    with qemu_holding(image, tmp_path):
        with pytest.raises(DiskError, match="in use by a VM") as caught:
            write_files(Host(), image, partition, {COMPLETE: b"new"})
        assert "-kill-kvm" in (caught.value.hint or "")
        with pytest.raises(DiskError, match="in use by a VM"):
            set_ntfs_label(image, partition, "root")
        assert content_of(image, partition) == WINDOWS_TREE  # reading is always possible
    assert image.read_bytes() == before
    set_ntfs_label(image, partition, "root")


def test_a_full_host_disk_is_noticed_before_the_image_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, partition = make_image(tmp_path)
    before = image.read_bytes()

    def no_room(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(DiskError, match="No space left on device") as caught:
        write_files(Host(), image, partition, {COMPLETE: b"new"})
    assert str(tmp_path) in (caught.value.hint or "")
    assert image.read_bytes() == before


def test_what_ntfs_3g_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    """A mirror of the file table that is not its copy, which winbuild itself does not mind."""
    image, partition = make_image(tmp_path)
    content = bytearray(image.read_bytes())
    first = content.find(b"FILE0", partition.start_bytes)
    mirror = content.find(content[first : first + 48], first + 1024)
    content[mirror + 3 * 1024 + 8] ^= 8
    image.write_bytes(content)
    with pytest.raises(DiskError, match=r"ntfscp exited with 1: \$MFTMirr does not match"):
        write_files(Host(), image, partition, {COMPLETE: b"new"})
    assert image.read_bytes() == content


class Killed(BaseException):
    """Stands for a winbuild that is gone from one moment to the next."""


def kill_during_the_last_write(monkeypatch: pytest.MonkeyPatch, image: Path) -> None:
    """Let only every second of the changed blocks get into the image, then die."""

    def half(excerpt: Path, image: Path, start: int, found: Sequence[Extent]) -> None:
        ntfs_excerpt.apply_changes(excerpt, image, start, found[::2])
        raise Killed

    monkeypatch.setattr("winbuild.disk.write.apply_changes", half)


def test_a_write_that_was_killed_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, partition = make_image(tmp_path)
    first = {f"{SCRIPTS}/first-{n}.cmd": b"1" * 900 * n for n in range(12)}
    with monkeypatch.context() as patched:
        kill_during_the_last_write(patched, image)
        with pytest.raises(Killed):
            write_files(Host(), image, partition, first)
    write_files(Host(), image, partition, {COMPLETE: b"second"})
    assert content_of(image, partition) == {**WINDOWS_TREE, **first, COMPLETE: b"second"}
    assert_sound(extract(image, 2, tmp_path / "extracted"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["extracted", image.name]


def test_a_write_killed_long_ago_does_not_touch_a_disk_used_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, partition = make_image(tmp_path)
    sound = image.read_bytes()
    with monkeypatch.context() as patched:
        kill_during_the_last_write(patched, image)
        with pytest.raises(Killed):
            write_files(Host(), image, partition, {COMPLETE: b"first" * 1000})
    image.write_bytes(sound)
    later = image.stat().st_mtime + 3600
    os.utime(image, (later, later))
    write_files(Host(), image, partition, {f"{SCRIPTS}/x.cmd": b"second"})
    assert content_of(image, partition) == {**WINDOWS_TREE, f"{SCRIPTS}/x.cmd": b"second"}


def test_a_cluster_in_use_that_was_not_copied_is_never_written(tmp_path: Path) -> None:
    image, partition = make_image(tmp_path, cluster_bytes=512)
    with open_ntfs(image, partition) as volume:
        excerpt = ntfs_excerpt.make_excerpt(volume, image, partition, tmp_path / "excerpt", [])
        victim = volume.extents_of_record(
            volume.entry("Windows/System32/config/SYSTEM").record_number
        )[0]
    assert ntfs_excerpt.changes(excerpt) == []
    with excerpt.path.open("r+b") as stream:
        stream.seek(victim.start + 512)
        stream.write(b"x")
    with pytest.raises(DiskError, match="changed unexpectedly, so nothing was written"):
        ntfs_excerpt.changes(excerpt)


def test_the_excerpt_is_small(tmp_path: Path) -> None:
    """What makes this fit for a 30 GiB image: only the file system's own parts are copied."""
    tree = {**WINDOWS_TREE, "big.vhd": random.Random(1).randbytes(30 * MIB)}
    volume_file = make_volume(tmp_path / "v", 60 * MIB, tree)
    image = make_disk(tmp_path / "disk", volume_file)
    partition = partition_by_number(image, 1)
    with open_ntfs(image, partition) as volume:
        excerpt = ntfs_excerpt.make_excerpt(volume, image, partition, tmp_path / "excerpt", [])
    assert sum(extent.length for extent in excerpt.copied) < 4 * MIB
    assert excerpt.path.stat().st_size == partition.size_bytes
