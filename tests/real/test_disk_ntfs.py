"""Reading and labelling NTFS partitions that mkntfs and wimlib have made."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import tarfile
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
    run,
)

from winbuild.disk.label import set_ntfs_label
from winbuild.disk.logs import collect_logs, log_paths
from winbuild.disk.ntfs import NtfsVolume, PathMissing, VolumeState, open_ntfs
from winbuild.disk.partitions import partition_by_number, read_partitions
from winbuild.errors import DiskError
from winbuild.ui import QuietUi

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the answer file has it: a small partition "Boot" and a large one "System"."""
    folder = tmp_path_factory.mktemp("a 'disk', 日本")
    boot = make_volume(folder / "boot", 9 * MIB + 512 * 3, {"bootmgr": b"boot"}, label="Boot")
    links = {
        "Users/All Users": "../ProgramData",
        "loop": "loop",
        "file-link": "Windows/DtcInstall.log",
    }
    system = make_volume(
        folder / "system",
        40 * MIB,
        {**WINDOWS_TREE, "ProgramData/x": b"1"},
        links=links,
        start_sector=12 * 2048,
    )
    return make_disk(folder / "win-2012.raw", boot, system)


@pytest.fixture
def system(disk: Path) -> Iterator[NtfsVolume]:
    with open_ntfs(disk, partition_by_number(disk, 2)) as volume:
        yield volume


def test_both_partitions_and_their_labels(disk: Path) -> None:
    found = []
    for partition in read_partitions(disk):
        with open_ntfs(disk, partition) as volume:
            found.append((partition.number, partition.active, volume.label))
    assert found == [(1, True, "Boot"), (2, False, "System")]


def test_every_file_is_read_as_written(system: NtfsVolume) -> None:
    files = {e.path: system.read(e) for e in system.walk() if not e.is_dir and not e.is_link}
    assert files == {**WINDOWS_TREE, "ProgramData/x": b"1"}
    assert {e.path: e.size_bytes for e in system.walk("Windows/Panther")} == {
        "Windows/Panther/setupact.log": 27 * 4000,
        "Windows/Panther/UnattendGC": 0,
        "Windows/Panther/UnattendGC/diagerr.xml": 4,
    }


def test_a_listing_says_of_everything_what_the_thing_itself_says(system: NtfsVolume) -> None:
    entries = list(system.walk())
    assert any(each.is_link for each in entries)
    assert [system.entry(each.path) for each in entries] == entries


@pytest.mark.parametrize(
    "path",
    [
        "C:\\WINDOWS\\panther\\SETUPACT.LOG",
        "/windows/Panther/setupact.log",
        "windows//./panther/setupact.log",
    ],
)
def test_paths_are_windows_paths(system: NtfsVolume, path: str) -> None:
    assert system.entry(path).path == "Windows/Panther/setupact.log"
    assert system.read(path) == WINDOWS_TREE["Windows/Panther/setupact.log"]


def test_capitals_beyond_ascii(system: NtfsVolume) -> None:
    assert system.read("GRÖßE ß 日本語 😀.TXT") == "ü".encode()


def test_a_listing_is_by_name_without_the_system_files(system: NtfsVolume) -> None:
    assert [each.name for each in system.list("/")] == [
        "file-link", "Größe ß 日本語 😀.txt", "loop", "Program Files", "ProgramData", "Users",
        "Windows",
    ]  # fmt: skip


def test_links_are_followed_by_paths_but_not_by_walks(system: NtfsVolume) -> None:
    assert system.entry("Users/All Users").is_link
    assert system.read("Users/All Users/x") == b"1"
    assert [each.path for each in system.list("users/all users")] == ["ProgramData/x"]
    assert system.read("file-link") == b"dtc\r\n"
    assert [each.path for each in system.walk("Users")] == ["Users/All Users"]
    with pytest.raises(DiskError, match="circle"):
        system.list("loop")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("Windows/Nothing", "-ls /Windows"),
        ("nowhere/at/all", "-ls /"),
        ("Windows/DtcInstall.log/x", "-ls /Windows/DtcInstall.log"),
    ],
)
def test_what_is_missing_says_where_to_look(system: NtfsVolume, path: str, hint: str) -> None:
    with pytest.raises(PathMissing, match=f"{path} does not exist in partition 2") as caught:
        system.read(path)
    assert (caught.value.hint or "").endswith(hint)
    assert not system.exists(path)


def test_a_directory_is_no_file(system: NtfsVolume) -> None:
    with pytest.raises(DiskError, match=r"Windows in partition 2 .* is a directory"):
        system.read("Windows")


def test_copy_out(system: NtfsVolume, tmp_path: Path) -> None:
    system.copy_out("windows", tmp_path / "out")
    copied = {
        f"Windows/{file.relative_to(tmp_path / 'out')}": file.read_bytes()
        for file in (tmp_path / "out").rglob("*")
        if file.is_file()
    }
    assert copied == {path: text for path, text in WINDOWS_TREE.items() if "Windows/" in path}
    system.copy_out("Windows/DtcInstall.log", tmp_path / "one")
    entry = system.entry("Windows/DtcInstall.log")
    assert (tmp_path / "one").stat().st_mtime_ns == entry.mtime_ns
    system.copy_out("Users/All Users", tmp_path / "linked")
    assert (tmp_path / "linked/x").read_bytes() == b"1"


def test_the_state_of_a_clean_dirty_and_hibernated_volume(tmp_path: Path) -> None:
    files = {"hiberfil.sys": b"HIBR" + bytes(9000)}
    for name, content in (("clean", None), ("asleep", files)):
        make_disk(tmp_path / name, make_volume(tmp_path / "v", 8 * MIB, content))
    states = {}
    for name in ("clean", "asleep"):
        partition = read_partitions(tmp_path / name)[0]
        with open_ntfs(tmp_path / name, partition) as volume:
            states[name] = volume.state()
        mark_dirty(tmp_path / name, partition)
        with open_ntfs(tmp_path / name, partition) as volume:
            states[f"{name}, dirty"] = volume.state()
    assert states == {
        "clean": VolumeState(dirty=False, hibernated=False),
        "clean, dirty": VolumeState(dirty=True, hibernated=False),
        "asleep": VolumeState(dirty=False, hibernated=True),
        "asleep, dirty": VolumeState(dirty=True, hibernated=True),
    }


def test_a_large_directory_without_what_was_deleted(tmp_path: Path) -> None:
    files = {f"d/{number:04}-{'x' * 40}.log": b"%d" % number for number in range(1500)}
    disk = make_disk(tmp_path / "disk", make_volume(tmp_path / "v", 24 * MIB, files))
    with open_ntfs(disk, read_partitions(disk)[0]) as volume:
        assert [each.path for each in volume.list("d")] == sorted(files)
        assert volume.read(f"D/0777-{'X' * 40}.LOG") == b"777"


def test_an_image_that_is_cut_off_is_a_disk_error(tmp_path: Path) -> None:
    content = {"big": random.Random(1).randbytes(10 * MIB)}
    disk = make_disk(tmp_path / "disk", make_volume(tmp_path / "v", 20 * MIB, content))
    partition = read_partitions(disk)[0]
    os.truncate(disk, 12 * MIB)
    with (
        pytest.raises(DiskError, match=r"big in partition 1 .* bytes are missing"),
        open_ntfs(disk, partition) as volume,
    ):
        volume.read("big")
    for size in range(12 * MIB, 0, -MIB - 512):
        os.truncate(disk, size)
        with pytest.raises(DiskError, match="cut off"):
            read_partitions(disk)


def test_damage_anywhere_raises_only_disk_errors(tmp_path: Path) -> None:
    """Random damage to the volume's structures, as a running guest or a bad host may show."""
    make_volume(tmp_path / "v", 8 * MIB, WINDOWS_TREE)
    disk = make_disk(tmp_path / "disk", tmp_path / "v")
    partition = read_partitions(disk)[0]
    sound = disk.read_bytes()
    used = [at for at in range(0, len(sound), 512) if any(sound[at : at + 512]) and at >= MIB]
    dice = random.Random(20150312)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(sound)
        for _ in range(dice.randrange(1, 30)):
            damaged[dice.choice(used) + dice.randrange(512)] = dice.randrange(256)
        disk.write_bytes(damaged)
        try:
            with open_ntfs(disk, partition) as volume:
                volume.state()
                for entry in volume.walk():
                    if not entry.is_dir and not entry.is_link:
                        volume.read(entry)
            outcomes.add("read")
        except DiskError:
            outcomes.add("error")
    assert outcomes == {"read", "error"}


@pytest.mark.parametrize("label", ["root", "", "日本語のラベル", "x" * 32, "😀" * 16, "Boot"])
@pytest.mark.parametrize("cluster_bytes", [512, 4096, 65536])
def test_a_label_is_set_and_nothing_else_changes(
    tmp_path: Path, label: str, cluster_bytes: int
) -> None:
    volume = make_volume(
        tmp_path / "v", 6 * MIB + 1536, {"bootmgr": b"b" * 9999}, cluster_bytes=cluster_bytes
    )
    other = make_volume(tmp_path / "w", 3 * MIB, label="System")
    disk = make_disk(tmp_path / "win.raw", volume, other)
    before = disk.read_bytes()
    set_ntfs_label(disk, read_partitions(disk)[0], label)
    after = disk.read_bytes()
    changed = [
        at for at in range(0, len(before), 512) if before[at : at + 512] != after[at : at + 512]
    ]
    assert 0 < len(changed) <= 4  # the record and its copy, of two sectors each
    extracted = extract(disk, 1, tmp_path / "extracted")
    assert run("ntfslabel", extracted).rstrip("\n") == label
    assert_sound(extracted)
    with open_ntfs(disk, read_partitions(disk)[0]) as found:
        assert found.label == label
        assert found.read("bootmgr") == b"b" * 9999


@pytest.mark.parametrize("label", ["x" * 33, "a:b", "a\nb", 'a"b', "\ud800"])
def test_a_label_that_windows_refuses_leaves_the_image_untouched(disk: Path, label: str) -> None:
    before = disk.read_bytes()
    with pytest.raises(DiskError, match="label"):
        set_ntfs_label(disk, read_partitions(disk)[0], label)
    assert disk.read_bytes() == before


def test_a_damaged_volume_is_not_relabelled(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_volume(tmp_path / "v", 4 * MIB))
    partition = read_partitions(disk)[0]
    damaged = bytearray(disk.read_bytes())
    record = damaged.find(b"FILE", partition.start_bytes) + 3 * 1024
    damaged[record + 510] ^= 0xFF
    disk.write_bytes(damaged)
    with pytest.raises(DiskError, match="only in part"):
        set_ntfs_label(disk, partition, "root")
    assert disk.read_bytes() == damaged


class Listening(QuietUi):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str = "") -> None:
        self.said.append(text)


def test_logs_are_collected_and_missing_ones_said(disk: Path, tmp_path: Path) -> None:
    ui = Listening()
    dest = tmp_path / "logs-001.tar.gz"
    report = collect_logs(disk, partition_by_number(disk, 2), dest, ui)
    assert report.missing == (
        "Windows/inf/setupapi.app.log",
        "Windows/setupact.log",
        "Windows/TSSysprep.log",
        "Windows/WindowsUpdate.log",
    )
    assert all(any(path in line for line in ui.said) for path in report.missing)
    wanted = {
        path: text
        for path, text in WINDOWS_TREE.items()
        if any(path == log or path.startswith(f"{log}/") for log in log_paths())
    }
    assert set(report.collected) == set(wanted)
    run("tar", "-xzf", dest, "-C", tmp_path)
    assert {path: (tmp_path / path).read_bytes() for path in wanted} == wanted
    assert (tmp_path / "Windows/Setup/Scripts").is_dir()


def test_the_same_disk_gives_the_same_archive(disk: Path, tmp_path: Path) -> None:
    for name in ("a.tar.gz", "b.tar.gz"):
        collect_logs(disk, partition_by_number(disk, 2), tmp_path / name, QuietUi())
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_logs_of_an_empty_volume_are_an_empty_archive(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_volume(tmp_path / "v", 2 * MIB))
    report = collect_logs(disk, read_partitions(disk)[0], tmp_path / "logs.tar.gz", QuietUi())
    assert (report.collected, report.missing) == ((), log_paths())
    assert run("tar", "-tzf", tmp_path / "logs.tar.gz") == ""


def test_one_unreadable_log_does_not_cost_the_others(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_volume(tmp_path / "v", 16 * MIB, WINDOWS_TREE))
    partition = read_partitions(disk)[0]
    bad = "Windows/Panther/setupact.log"
    with open_ntfs(disk, partition) as volume:
        at = partition.start_bytes + volume.record_offset(volume.entry(bad).record_number)
    with disk.open("r+b") as stream:
        stream.seek(at)
        stream.write(b"BAAD")
    ui = Listening()
    report = collect_logs(disk, partition, tmp_path / "logs.tar.gz", ui)
    assert [path for path, _ in report.unreadable] == [bad]
    assert bad not in report.collected
    assert "Windows/Panther/UnattendGC/diagerr.xml" in report.collected
    assert any(bad in line and "cannot be read" in line for line in ui.said)
    assert bad not in run("tar", "-tzf", tmp_path / "logs.tar.gz")


def test_a_failed_collection_leaves_no_archive(disk: Path, tmp_path: Path) -> None:
    shutil.copy(disk, tmp_path / "disk")
    partition = partition_by_number(tmp_path / "disk", 2)
    with (tmp_path / "disk").open("r+b") as stream:
        stream.seek(partition.start_bytes)
        stream.write(bytes(512))
    with pytest.raises(DiskError, match="partition 2"):
        collect_logs(tmp_path / "disk", partition, tmp_path / "logs.tar.gz", QuietUi())
    assert [each.name for each in tmp_path.iterdir()] == ["disk"]


def test_the_archive_is_plain_gzip_and_pax(disk: Path, tmp_path: Path) -> None:
    dest = tmp_path / "x.tar.gz"
    collect_logs(disk, partition_by_number(disk, 2), dest, QuietUi(), paths=["/"])
    with gzip.open(dest) as stream, tarfile.open(fileobj=stream) as archive:
        assert "Größe ß 日本語 😀.txt" in archive.getnames()
