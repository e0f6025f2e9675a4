"""Puts Windows on the disk: the image, what boots it, what Setup leaves behind.

What takes long is a generator that yields how far it has come, from 0 to 100, so that the
screen lives meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

BOOT_FOLDER = Path("Boot/rehearsal")
BOOT_FILES = ("kernel", "initrd.img", "guest.img")
STATE_FILE = Path("Windows/System32/config/rehearsal-state.json")


class CommandFailed(Exception):
    """A program of the guest ended with an error; the text has what it said last."""


def run(argv: Sequence[str]) -> Iterator[float]:
    """Run a program that tells nothing of its progress: yields 0 until it has ended."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        assert program.stdout is not None
        os.set_blocking(program.stdout.fileno(), False)
        said = b""
        while program.poll() is None:
            said += program.stdout.read() or b""
            yield 0
        said += program.stdout.read() or b""
    _check(argv, program.returncode, said)


def apply_image(wim: Path, index: int, device: Path) -> Iterator[float]:
    """Unpack an image onto the NTFS partition `device`, which must not be mounted."""
    argv = ["wimlib-imagex", "apply", str(wim), str(index), str(device)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        assert program.stdout is not None
        os.set_blocking(program.stdout.fileno(), False)
        said = b""
        while program.poll() is None:
            said += program.stdout.read() or b""
            percents = re.findall(rb"\((\d+)%\) done", said)
            yield float(percents[-1]) if percents else 0
        said += program.stdout.read() or b""
    _check(argv, program.returncode, said)


def _check(argv: Sequence[str], status: int, said: bytes) -> None:
    if status != 0:
        last = said.decode(errors="replace").replace("\r", "\n").strip().splitlines()[-1:]
        raise CommandFailed(f"{argv[0]} exited with {status}: {''.join(last)}")


def copy_boot_files(source: Path, device: Path) -> Iterator[float]:
    """What the boot code looks for, into \\Boot\\rehearsal of the unmounted NTFS `device`.

    (ntfscp writes without the kernel's FUSE in between: under emulation that is the difference
    between one second and ten.) The folder has to be there.
    """
    sizes = {name: (source / name).stat().st_size for name in BOOT_FILES}
    done = 0
    for name, size in sizes.items():
        argv = ["ntfscp", "-q", str(device), str(source / name), f"/{BOOT_FOLDER}/{name}"]
        for _ in run(argv):
            yield 100 * done / sum(sizes.values())
        done += size
        yield 100 * done / sum(sizes.values())


def make_boot_folder(cd: Path, boot_root: Path) -> None:
    """The folder of the boot files, and files that a Windows disk shows and nothing reads."""
    (boot_root / BOOT_FOLDER).mkdir(parents=True, exist_ok=True)
    for name, to in (("bootmgr", "bootmgr"), ("boot/bcd", "Boot/BCD")):
        if (cd / name).is_file():
            shutil.copyfile(cd / name, boot_root / to)


def leave_state(root: Path, state: dict[str, object]) -> None:
    """What Windows finds when it starts from the disk for the first time."""
    file = root / STATE_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(state, indent=1, ensure_ascii=False), encoding="utf-8")


class SetupLog:
    """Lines of setupact.log and setuperr.log, kept until there is a disk to write them on."""

    def __init__(self) -> None:
        self._lines: list[tuple[bool, str]] = []

    def add(self, text: str, *, error: bool = False) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self._lines.append((error, f"{stamp}, {'Error' if error else 'Info':<24}{text}\n"))

    def write(self, root: Path, unattend: Path | None) -> None:
        """Into Windows\\Panther and the other places where Setup logs."""
        panther = root / "Windows/Panther"
        _write(panther / "setupact.log", (line for _, line in self._lines))
        _write(panther / "setuperr.log", (line for error, line in self._lines if error))
        if unattend is not None:
            shutil.copyfile(unattend, panther / "unattend.xml")
        everything = [line for _, line in self._lines]
        _write(root / "Windows/setupact.log", everything[-1:])
        _write(root / "Windows/inf/setupapi.app.log", ["[Device Install Log]\n"])
        _write(root / "Windows/DtcInstall.log", ["DTC Install: winbuild rehearsal\n"])


def _write(file: Path, lines: Iterator[str] | Sequence[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="\r\n") as stream:
        stream.writelines(lines)
