"""A machine made of folders on which Setup runs as far as the disk."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from guest_world import Ended, Stuck, World

from winbuild.host import Host
from winbuild.media.answer_file import AnswerFile, install_answer_file
from winbuild.rehearsal.guest import setup
from winbuild.rehearsal.guest.looks import LOOKS, era_of
from winbuild.rehearsal.guest.system import HardDisk
from winbuild.rehearsal.guest.texts import Texts
from winbuild.rehearsal.virtio import virtio_files
from winbuild.rehearsal.wim import label_named, make_install_wim
from winbuild.windows.languages import language
from winbuild.windows.versions import version

GIB = 1 << 30


def answer_file(label: str = "2012", tag: str = "en-US", **changes: object) -> bytes:
    """A good answer file, with the fields of the spec changed."""
    windows = version(label)
    given: dict[str, object] = {"driver_folders": windows.current_driver_folders("amd64")}
    spec = AnswerFile(windows, language(tag), "a:run-sysprep", **{**given, **changes})  # type: ignore[arg-type]
    return install_answer_file(spec)


class SetupWorld(World):
    """Drives A (floppy), D (Windows) and E (virtio) as folders, and one virtio disk."""

    def __init__(self, folder: Path, wim: Path, *, label: str = "2012", **switches: str) -> None:
        super().__init__(folder, **switches)
        self.labels = {"A": "", "D": "WINDOWS", "E": "VIRTIO"}
        facts = label_named(label)
        self.media: Mapping[str, object] = {
            "label": label,
            "language": "en-US",
            "architecture": "amd64",
            "version": "6.3",
            "product_keys": {"D2N9P-3P6X9-2R39C-7RTCD-MDVJX": "ServerStandard"},
        }
        assert facts.images
        for letter in "DE":
            (folder / letter).mkdir()
        self.put("D/rehearsal/kernel", b"")
        (folder / "D/sources").mkdir()
        (folder / "D/sources/install.wim").symlink_to(wim)
        for name, content in _storage_drivers().items():
            self.put(f"E/{name}", content)
        self.disk = HardDisk(Path("/dev/vda"), 30 * GIB, "viostor")

    def cd_drives(self) -> dict[str, Path]:
        return {letter: self.folder / letter for letter in "DE"}

    def hard_disks(self) -> list[HardDisk]:
        return [self.disk]

    def run_setup(self) -> str:
        """Start from the CD. Returns what the log says last."""
        self._person, self._wanted = None, lambda: False
        era = era_of(str(self.media["label"]))
        texts = Texts(str(self.media["language"]), era)
        with suppress(Ended, Stuck):
            setup.run(
                self.display,
                self,
                self,  # type: ignore[arg-type]
                texts,
                LOOKS[era],
                clock=lambda: self.now,
            )
        return self.log_lines[-1]


@cache
def _storage_drivers() -> dict[str, bytes]:
    _, files = virtio_files()
    return {k: v for k, v in files.items() if k.startswith(("viostor/", "vioscsi/"))}


def make_wim(folder: Path, label: str = "2012", tag: str = "en-US") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return make_install_wim(Host(), label_named(label), tag, folder)
