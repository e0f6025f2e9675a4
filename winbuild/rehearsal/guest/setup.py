"""Windows Setup, from the CD's start to the first restart.

With an answer file it asks nothing; what it cannot use it says in a dialog, and waits there.
Without one it waits on its first page. Places for misbehaviour (see `trouble`): setup-start,
setup-disk, setup-copy, setup-features, setup-restart.
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import disk, install, pages, trouble
from .answers import AnswerFileError, read_answers
from .display import Display
from .drives import Drives
from .looks import Look
from .setup_checks import SetupFailure, choose_image, find_answer_file, find_driver
from .stage import InputSource, Stage, Steps
from .system import HardDisk, Machine
from .texts import Texts
from .unattend import Unattend, UnattendError, read_unattend
from .wim import WimImage, read_images

POLL_S = 0.1
RESTART_COUNTDOWN_S = 3
# Space on the partition beyond what the image's files take.
SPARE_BYTES = 256 << 20
# Lines of the page that tells how far the installation has come.
PARTS = ("copying", "expanding", "features", "updates", "completing")


def run(
    display: Display,
    inputs: InputSource,
    machine: Machine,
    texts: Texts,
    look: Look,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Install Windows, then restart the machine. Does not return otherwise."""
    stage = Stage(display, inputs, machine, texts, look, clock=clock)
    stage.run(Setup(stage, machine).steps())


class Setup:
    """One run of Setup."""

    def __init__(self, stage: Stage, machine: Machine) -> None:
        self.stage, self.machine, self.texts = stage, machine, stage.texts
        self.log = install.SetupLog()
        self.answer_file: Path | None = None

    def steps(self) -> Steps[None]:
        yield from trouble.at(self.stage, "setup-start")
        yield self.stage.pause()
        try:
            yield from self._install()
        except SetupFailure as failure:
            yield from self._refuse(failure)
        except (disk.DiskPlanError, install.CommandFailed, OSError, ValueError) as fault:
            self._note(f"unexpected: {fault}", error=True)
            yield from self._refuse(SetupFailure("setup.error.failed", str(fault)))

    def _install(self) -> Steps[None]:
        media = {k: v for k, v in self.machine.drives().items() if k != "C"}
        found = find_answer_file(media)
        if found is None:
            self._note("no answer file on any removable medium")
            yield from self._language_page()
            return
        letter, self.answer_file = found
        self._note(f"answer file {letter}:\\{self.answer_file.name}")
        answers = self._read(self.answer_file)
        for name in answers.unused:
            self._note(f"{name} of the pass windowsPE is passed over")
        if (answers.ui_language or "").casefold() != self.machine.media["language"].casefold():
            self._note(f"the media have no texts in {answers.ui_language}")
            yield from self._language_page()
            return
        image = self._chosen_image(answers)
        target_disk, partitions, target = self._disk_plan(answers, image)
        yield from trouble.at(self.stage, "setup-disk")
        yield from self._prepare_disk(target_disk, partitions)
        yield from self._copy(image, target_disk, partitions, target)
        yield from self._restart()

    def _read(self, file: Path) -> Unattend:
        """The answer file, as a whole: also what only Windows will use after the restart."""
        try:
            answers = read_unattend(file, self.machine.media["architecture"])
            read_answers(file)
        except AnswerFileError as exc:
            raise self._unusable(UnattendError(str(exc))) from exc
        except UnattendError as exc:
            raise self._unusable(exc) from exc
        return answers

    def _unusable(self, fault: UnattendError) -> SetupFailure:
        if fault.pass_name:
            names = {"pass": fault.pass_name, "component": fault.component or fault.pass_name}
            return SetupFailure("setup.error.unattend", str(fault), **names)
        assert self.answer_file is not None
        file = self.answer_file.name
        return SetupFailure("setup.error.unattend-file", str(fault), file=file)

    def _chosen_image(self, answers: Unattend) -> WimImage:
        images = read_images(self._cd() / "sources/install.wim")
        keys: dict[str, str] = self.machine.media["product_keys"]
        image = choose_image(images, answers.image, answers.product_key, keys)
        if not answers.accept_eula:
            raise SetupFailure("setup.error.license", "the licence terms are not accepted")
        self._note(f"image {image.index}: {image.name}")
        return image

    def _cd(self) -> Path:
        """The CD that Setup was started from."""
        for path in self.machine.cd_drives().values():
            if (path / "rehearsal" / install.BOOT_FILES[0]).is_file():
                return path
        raise SetupFailure("setup.error.driver", "the installation CD is gone")

    def _disk_plan(
        self, answers: Unattend, image: WimImage
    ) -> tuple[Path, list[disk.Partition], disk.Partition]:
        if not answers.disks or answers.install_to is None:
            names = {"pass": "windowsPE", "component": "Microsoft-Windows-Setup"}
            raise SetupFailure("setup.error.unattend", "no disk is configured", **names)
        number, partition_number = answers.install_to
        usable = self._usable_disks(answers)
        plan = next((plan for plan in answers.disks if plan.disk == number), None)
        if plan is None or number >= len(usable):
            raise _disk_failure(number, f"there is no disk {number}")
        try:
            partitions = disk.plan_partitions(plan, usable[number].size_bytes)
        except disk.DiskTooSmall as exc:
            raise SetupFailure("setup.error.disk-small", str(exc), disk=number) from exc
        except disk.DiskPlanError as exc:
            raise _disk_failure(number, str(exc)) from exc
        target = next((p for p in partitions if p.number == partition_number), None)
        if target is None or target.file_system != "NTFS":
            raise _disk_failure(number, f"partition {partition_number} is no NTFS partition")
        if not any(p.active and p.file_system == "NTFS" for p in partitions):
            raise _disk_failure(number, "no NTFS partition is active")
        if target.sectors * disk.SECTOR < image.size_bytes + SPARE_BYTES:
            raise SetupFailure("setup.error.disk-small", "the image does not fit", disk=number)
        return usable[number].device, partitions, target

    def _usable_disks(self, answers: Unattend) -> list[HardDisk]:
        """Disks that Windows could see with the drivers that the answer file points to.

        Linux sees them all, so this is what makes a missing driver show.
        """
        drives = Drives(self.machine.drives)
        arch = self.machine.media["architecture"]
        usable = []
        for found in self.machine.hard_disks():
            inf = None
            if found.driver is not None:
                inf = find_driver(drives, answers.driver_paths, found.driver, arch)
                self._note(f"{found.driver} for {found.device.name}: {inf or 'not found'}")
            if found.driver is None or inf is not None:
                usable.append(found)
        if not usable:
            raise SetupFailure("setup.error.no-drives", "no disk has a driver")
        return usable

    def _prepare_disk(self, device: Path, partitions: list[disk.Partition]) -> Steps[None]:
        self._show(0, None)
        yield self.stage.pause()
        signature = random.SystemRandom().getrandbits(32)
        disk.write_partition_table(device, disk.master_boot_record(partitions, signature, b""))
        for partition in partitions:
            if partition.file_system is not None:
                where = partition.device(device)
                yield from self._follow(install.run(disk.format_argv(partition, where)))
                self._note(f"partition {partition.number}: {partition.file_system}")

    def _copy(
        self,
        image: WimImage,
        device: Path,
        partitions: list[disk.Partition],
        target: disk.Partition,
    ) -> Steps[None]:
        yield from trouble.at(self.stage, "setup-copy")
        cd = self._cd()
        system = target.device(device)
        wim = cd / "sources/install.wim"
        yield from self._follow(install.apply_image(wim, image.index, system), 0)
        active = next(partition for partition in partitions if partition.active)
        boot_device = active.device(device)
        with self.machine.mounted(boot_device) as boot_root:
            install.make_boot_folder(cd, boot_root)
        source = cd / "rehearsal"
        yield from self._follow(install.copy_boot_files(source, boot_device), 1)
        code = (source / "disk-mbr.bin").read_bytes(), (source / "disk-core.bin").read_bytes()
        disk.write_boot_code(device, *code)
        yield from trouble.at(self.stage, "setup-features")
        for part in (2, 3, 4):
            for percent in (0, 34, 81):
                self._show(part, percent)
                yield self.stage.pause(0.1, 0.5)
        self._note("the image is on the disk, Windows starts from it next")
        root = self.machine.use_system(system)
        install.leave_state(root, self._state(image))
        self.log.write(root, self.answer_file)

    def _state(self, image: WimImage) -> dict[str, object]:
        assert self.answer_file is not None
        media = self.machine.media
        name = "WIN-" + "".join(random.choices(string.ascii_uppercase + string.digits, k=11))
        return {
            "phase": "specialize",
            "label": media["label"],
            "language": media["language"],
            "keyboard": read_answers(self.answer_file).keyboard or "us",
            "computer_name": name,
            "image_name": image.name,
            "edition": image.edition,
            "version": media["version"],
        }

    def _restart(self) -> Steps[None]:
        yield from trouble.at(self.stage, "setup-restart")
        title = self.texts("setup.title")
        for left in range(RESTART_COUNTDOWN_S, 0, -1):
            lines = [self.texts("setup.restart-seconds", seconds=left)]
            page = pages.setup_page(
                self.stage.size,
                self.stage.look,
                title,
                self.texts("setup.restart"),
                lines,
                buttons=[self.texts("setup.restart-now")],
            )
            self.stage.set_backdrop(page)
            yield self.stage.pause(0.6, 1.0)
        self.machine.reboot()

    def _follow(self, progress: Iterator[float], part: int | None = None) -> Steps[None]:
        """Do a long piece of work; with `part`, show how far it has come."""
        shown = -1
        for percent in progress:
            if part is not None and int(percent) >= shown + 3:
                shown = int(percent)
                self._show(part, shown)
            yield POLL_S if part is None else 0.02

    def _show(self, part: int, percent: int | None) -> None:
        """The list of parts: those before `part` are done."""
        lines = [self.texts(f"setup.{name}") for name in PARTS]
        if percent is not None:
            lines[part] = self.texts("setup.percent", text=lines[part], percent=percent)
        page = pages.setup_page(
            self.stage.size,
            self.stage.look,
            self.texts("setup.title"),
            self.texts("setup.installing"),
            lines,
            percent=20 * part + (percent or 0) / 5,
            current=part,
        )
        self.stage.set_backdrop(page)

    def _language_page(self) -> Steps[None]:
        stage = self.stage
        stage.set_backdrop(pages.language_page(stage.size, stage.look, stage.texts))
        yield from trouble.hang(stage)

    def _refuse(self, failure: SetupFailure) -> Steps[None]:
        """The dialog that says why, for ever."""
        self._note(f"{failure.key}: {failure}", error=True)
        words = self.texts(failure.key, **failure.values)
        stage, buttons = self.stage, [self.texts("setup.ok")]
        title = self.texts("setup.title.install")
        page = pages.dialog_page(stage.size, stage.look, title, words, buttons)
        stage.set_backdrop(page)
        yield from trouble.hang(stage)

    def _note(self, text: str, *, error: bool = False) -> None:
        self.log.add(text, error=error)
        self.machine.log(text)


def _disk_failure(number: int, detail: str) -> SetupFailure:
    return SetupFailure("setup.error.disk", detail, disk=number, detail=detail)
