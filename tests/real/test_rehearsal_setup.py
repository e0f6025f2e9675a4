"""The rehearsal media in a real VM: Setup fills a disk, the disk boots, the CD asks for a key."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiny_guests as guests

from winbuild.deadline import Deadline
from winbuild.disk.image import data_extents
from winbuild.disk.ntfs import open_ntfs
from winbuild.disk.partitions import read_partitions
from winbuild.host import Host
from winbuild.media.answer_file import AnswerFile, install_answer_file
from winbuild.media.floppy import make_floppy
from winbuild.rehearsal.build import RehearsalMedia
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.screen import Screen
from winbuild.vm import files
from winbuild.vm.argv import qemu_argv
from winbuild.vm.launch import start_vm
from winbuild.vm.spec import VmSpec
from winbuild.vm.vm import Vm
from winbuild.windows.languages import language
from winbuild.windows.versions import version

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("rehearsal")]

DISK_BYTES = 3 << 30
PATIENCE_S = 150.0


def make_answers(folder: Path, label: str = "2012", tag: str = "en-US", **changes: Any) -> Path:
    """A floppy with an answer file and nothing else."""
    windows = version(label)
    given = {
        "driver_folders": windows.current_driver_folders("amd64"),
        "specialize_commands": (),
    }
    spec = AnswerFile(windows, language(tag), "a:run-sysprep", **(given | changes))
    floppy = folder / "floppy.img"
    make_floppy(Host(), floppy, {"Autounattend.xml": install_answer_file(spec)})
    return floppy


@dataclass
class Run:
    """A VM with the rehearsal media in it."""

    vm: Vm
    folder: Path

    def says(self, text: str) -> None:
        """Wait for a line on the serial console: what the guest does, for the test alone."""

        def said() -> bool:
            status = self.vm.status()
            assert status.state == "running", f"{status}\n{self.vm.serial_tail(2000)}"
            return text in self.serial

        guests.wait_until(said, text, PATIENCE_S)

    @property
    def serial(self) -> str:
        return (self.folder / files.SERIAL_LOG).read_text(errors="replace")

    def shows_now(self) -> str:
        screen = Screen(self.vm, Catalogue.load())
        try:
            return next((sighting.id for sighting in screen.seen()), "nothing known")
        finally:
            screen.close()

    def shows(self, *names: str, tag: str = "en-US") -> str:
        screen = Screen(self.vm, Catalogue.load(languages=(tag[:2],)))
        try:
            return screen.wait_for(*names, deadline=Deadline(PATIENCE_S), fail=()).id
        finally:
            screen.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start a VM in the test's folder; it is gone afterwards."""
    runs: list[Run] = []

    def starter(disk: Path, **fields: Any) -> Run:
        runs.append(boot(tmp_path, disk, **fields))
        return runs[-1]

    yield starter
    for run in runs:
        run.vm.kill()


def boot(folder: Path, disk: Path, **fields: Any) -> Run:
    spec = guests.spec(disk, **({"memory_mib": 512, "cpus": 2} | fields))
    return Run(start_vm(Host(), folder, spec), folder)


def blank_disk(folder: Path) -> Path:
    path = folder / "disk.raw"
    with path.open("wb") as stream:
        stream.truncate(DISK_BYTES)
    return path


@pytest.fixture(scope="module")
def media(make_media: Callable[..., RehearsalMedia]) -> RehearsalMedia:
    return make_media("2008", "ja-JP")


@pytest.fixture(scope="module")
def installed(media: RehearsalMedia, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk when Setup has restarted the machine and Windows begins to start from it."""
    folder = tmp_path_factory.mktemp("installed")
    disk = blank_disk(folder)
    floppy = make_answers(folder, "2008", "ja-JP")
    run = boot(folder, disk, floppy=floppy, cdroms=(media.windows_iso, media.virtio_iso))
    try:
        assert run.shows("setup.installing", tag="ja-JP") == "setup.installing"
        run.says("started from disk")
        assert run.vm.resets() == 1
    finally:
        run.vm.kill()
    return disk


def test_what_setup_leaves_on_the_disk(installed: Path) -> None:
    boot_partition, system = read_partitions(installed)
    assert (boot_partition.active, boot_partition.size_bytes) == (True, 350 << 20)
    assert system.size_bytes > DISK_BYTES - (360 << 20) and not system.active
    with open_ntfs(installed, boot_partition) as volume:
        assert volume.label == "Boot"
        assert volume.exists("/bootmgr") and volume.exists("/Boot/BCD")
    with open_ntfs(installed, system) as volume:
        assert volume.label == "System"
        assert volume.read("Windows/System32/sysprep/sysprep.exe").startswith(b"MZ")
        log = volume.read("Windows/Panther/setupact.log").decode()
        assert "Windows Server 2008 R2 SERVERSTANDARD" in log
        assert volume.read("Windows/Panther/setuperr.log") == b""
        assert volume.exists("Windows/Panther/unattend.xml")
        for name in ("DtcInstall.log", "inf/setupapi.app.log", "setupact.log"):
            assert volume.exists(f"Windows/{name}"), name


def test_ntfs_tools_find_nothing_wrong(installed: Path, tmp_path: Path) -> None:
    for partition in read_partitions(installed):
        volume = tmp_path / f"volume{partition.number}.img"
        with installed.open("rb") as source, volume.open("wb") as dest:
            dest.truncate(partition.size_bytes)
            for extent in data_extents(installed):
                start = max(extent.start, partition.start_bytes)
                length = min(extent.end, partition.end_bytes) - start
                if length > 0:
                    source.seek(start)
                    dest.seek(start - partition.start_bytes)
                    dest.write(source.read(length))
        checked = subprocess.run(["ntfsfix", "-n", volume], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout


def test_the_disk_holds_no_more_than_it_needs(installed: Path) -> None:
    assert installed.stat().st_blocks * 512 < 200 << 20


@pytest.fixture
def cd_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The firmware tries the CD before the disk, as machines for installing are set up."""

    def argv(spec: VmSpec) -> list[str]:
        moved = {"bootindex=0": "bootindex=9", "bootindex=1": "bootindex=0"}
        words = []
        for word in qemu_argv(spec):
            old = next((old for old in moved if word.endswith(old)), None)
            words.append(word.replace(old, moved[old]) if old else word)
        return words

    monkeypatch.setattr("winbuild.vm.launch.qemu_argv", argv)


@pytest.mark.usefixtures("cd_first")
def test_without_a_key_the_disk_boots(
    installed: Path, media: RehearsalMedia, start: Callable[..., Run]
) -> None:
    run = start(installed, cdroms=(media.windows_iso,))
    assert run.shows("boot.press-any-key") == "boot.press-any-key"
    run.says("started from disk")


@pytest.mark.usefixtures("cd_first")
def test_with_a_key_the_cd_boots_and_waits_for_someone_to_choose(
    installed: Path, media: RehearsalMedia, start: Callable[..., Run]
) -> None:
    run = start(installed, cdroms=(media.windows_iso,))
    run.shows("boot.press-any-key")
    for down in (True, False):
        key = {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": "ret"}}}
        run.vm.send_input([key])
    run.says("started from cd")
    assert run.shows("setup.language", tag="ja-JP") == "setup.language"
    assert "at setup-disk" not in run.serial


def test_without_the_drivers_setup_finds_no_disk(
    media: RehearsalMedia, start: Callable[..., Run], tmp_path: Path
) -> None:
    disk = blank_disk(tmp_path)
    floppy = make_answers(tmp_path, "2008", "ja-JP")
    run = start(disk, floppy=floppy, cdroms=(media.windows_iso,))
    assert run.shows("setup.error", tag="ja-JP") == "setup.error"
    assert "setup.error.no-drives" in run.serial
    assert not any(disk.open("rb").read(1 << 20)), "the disk is as blank as before"


def test_a_blue_screen_is_seen_and_reported_by_the_machine(
    make_media: Callable[..., RehearsalMedia], start: Callable[..., Run], tmp_path: Path
) -> None:
    media = make_media("2012", "en-US", blue_screen="setup-start")
    run = start(blank_disk(tmp_path), cdroms=(media.windows_iso,))
    ended = Deadline(PATIENCE_S)
    while run.vm.status().state == "running":
        ended.check("the guest's panic")
        time.sleep(0.1)
    status = run.vm.status()
    assert (status.state, status.cause) == ("crashed", "panicked")
    assert run.shows_now() == "crash.blue-screen"
