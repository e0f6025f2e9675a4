"""The machine under the guest's Windows: drives, power, serial log, switches.

`Machine` is what `contract.System` describes, on Linux as the media boot it: process 1 loads
the drivers meanwhile, so whoever needs devices calls `wait_for_drivers` first.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

MEDIA_FILE = Path("/run/guest/media.json")
MOUNTS = Path("/mnt")
NTFS_OPTIONS = "rw,noatime,big_writes"
DRIVER_PATIENCE_S = 60.0
POINTER_PATIENCE_S = 3.0
# A: is the floppy, C: Windows; CD drives and then further disks get the letters from here on.
FIRST_FREE_LETTER = "D"
NTFS_MARK = b"NTFS    "
SECTOR = 2048  # of a CD; its volume descriptors begin in sector 16
CD_KINDS = ("iso9660", "udf")
UDF_MARKS = {b"NSR02", b"NSR03"}


@dataclass(frozen=True)
class Volume:
    """A partition, or a whole medium, with a file system that was recognised."""

    device: Path
    kind: str  # "ntfs", "vfat", or one of CD_KINDS
    label: str


@dataclass(frozen=True)
class HardDisk:
    """A hard disk. `driver` is what Windows needs for its controller; None if it has that."""

    device: Path
    size_bytes: int
    driver: str | None


class Machine:
    """See `contract.System`."""

    def __init__(self, media: dict[str, Any] | None = None) -> None:
        self.media = media if media is not None else json.loads(MEDIA_FILE.read_text())
        self._options = kernel_options()
        self._mounted: dict[str, _Mounted] | None = None
        self._system: Path | None = None

    @property
    def boot(self) -> str:
        """What the machine was started from: "cd" or "disk"."""
        return self._options.get("rehearsal.boot", "cd")

    def log(self, text: str) -> None:
        print(f"rehearsal: [{time.monotonic():.1f}] {text}", flush=True)

    def switch(self, name: str) -> str | None:
        switches = self.media.get("switches", {})
        return self._options.get(f"rehearsal.{name}") or switches.get(name)

    def wait_for_drivers(self) -> None:
        """Return when the kernel's modules are loaded and the pointer has been found."""
        _wait(Path("/run/modules-loaded").exists, DRIVER_PATIENCE_S)
        _wait(_has_tablet, POINTER_PATIENCE_S)

    def mount_system(self) -> Path:
        if self._system is None:
            self._system = self._mount_windows()
        return self._system

    def use_system(self, device: Path) -> Path:
        """Mount the NTFS partition `device` as C:, which Windows is being installed to."""
        self._system = _mount(Volume(device, "ntfs", ""), MOUNTS / "C")
        self._mounted = None
        return self._system

    @contextmanager
    def mounted(self, device: Path) -> Iterator[Path]:
        """An NTFS partition for a moment; it gets no drive letter."""
        path = _mount(Volume(device, "ntfs", ""), MOUNTS / device.name)
        try:
            yield path
        finally:
            _run("umount", str(path))

    def drives(self) -> dict[str, Path]:
        found = {letter: drive.path for letter, drive in self._other_drives().items()}
        if self._system is not None:
            found["C"] = self._system
        return found

    def volume_labels(self) -> dict[str, str]:
        return {letter: drive.label for letter, drive in self._other_drives().items()}

    def hard_disks(self) -> list[HardDisk]:
        """All of them, in the order in which Setup counts them."""
        found = []
        for device in _disks():
            sectors = int(Path("/sys/block", device.name, "size").read_text())
            found.append(HardDisk(device, sectors * 512, _disk_driver(device)))
        return found

    def cd_drives(self) -> dict[str, Path]:
        """Mount points of the CDs by letter, in the order of the drives."""
        return {
            letter: drive.path
            for letter, drive in self._other_drives().items()
            if drive.kind in CD_KINDS
        }

    def reboot(self) -> NoReturn:
        self.log("restart")
        self._leave()
        _run("reboot", "-f")
        raise SystemExit("the machine did not restart")

    def power_off(self) -> NoReturn:
        self.log("power off")
        self._leave()
        _run("poweroff", "-f")
        raise SystemExit("the machine did not power off")

    def _leave(self) -> None:
        os.sync()
        for drive in (self._mounted or {}).values():
            _run("umount", str(drive.path), check=drive.kind == "vfat")
        if self._system is not None:
            # Only when this returns has ntfs-3g written everything.
            _run("umount", str(self._system))
        os.sync()

    def _mount_windows(self) -> Path:
        for device in _partitions():
            volume = probe(device)
            if volume is None or volume.kind != "ntfs":
                continue
            path = _mount(volume, MOUNTS / "C")
            if (path / "Windows" / "System32").is_dir():
                self.log(f"C: is {device.name}")
                return path
            _run("umount", str(path))
        raise FileNotFoundError("no partition holds Windows")

    def _other_drives(self) -> dict[str, _Mounted]:
        if self._mounted is None:
            self._mounted = dict(self._mount_others())
            for letter, drive in self._mounted.items():
                self.log(f"{letter}: is {drive.label or 'a medium without label'}")
        return self._mounted

    def _mount_others(self) -> Iterator[tuple[str, _Mounted]]:
        floppy = probe(Path("/dev/fd0"))
        if floppy:
            yield "A", _Mounted.of(floppy, "A")
        letter = FIRST_FREE_LETTER
        for number in range(4):
            drive = Path(f"/dev/sr{number}")
            if drive.exists():
                medium = probe(drive)
                if medium:
                    yield letter, _Mounted.of(medium, letter)
                letter = chr(ord(letter) + 1)  # an empty drive has a letter too
        for device in _partitions():
            volume = probe(device)
            if volume and volume.kind == "vfat":
                yield letter, _Mounted.of(volume, letter)
                letter = chr(ord(letter) + 1)


@dataclass(frozen=True)
class _Mounted:
    path: Path
    label: str
    kind: str = field(default="")

    @classmethod
    def of(cls, volume: Volume, letter: str) -> _Mounted:
        return cls(_mount(volume, MOUNTS / letter), volume.label, volume.kind)


def kernel_options() -> dict[str, str]:
    """The kernel's command line: options with a value."""
    words = Path("/proc/cmdline").read_text().split()
    return dict(word.split("=", 1) for word in words if "=" in word)


def _disks() -> list[Path]:
    names = [path.name for path in Path("/sys/block").iterdir()]
    return [Path("/dev", name) for name in sorted(names) if name.startswith(("vd", "sd"))]


def _disk_driver(disk: Path) -> str | None:
    if disk.name.startswith("vd"):
        return "viostor"
    where = Path("/sys/block", disk.name, "device").resolve()
    return "vioscsi" if "virtio" in str(where) else None


def probe(device: Path) -> Volume | None:
    """What file system is on the device; None without a medium or with one not known here."""
    try:
        with device.open("rb") as stream:
            start = stream.read(512)
            if start[3:11] == NTFS_MARK:
                return Volume(device, "ntfs", "")
            if start[82:87] == b"FAT32":
                return Volume(device, "vfat", _text(start[71:82]))
            if start[54:58] == b"FAT1":
                return Volume(device, "vfat", _text(start[43:54]))
            stream.seek(16 * SECTOR)
            descriptors = stream.read(16 * SECTOR)
            if descriptors[1:6] == b"CD001":
                # Media with UDF keep their long names there.
                marks = {descriptors[at : at + 5] for at in range(1, len(descriptors), SECTOR)}
                kind = "udf" if marks & UDF_MARKS else "iso9660"
                return Volume(device, kind, _text(descriptors[40:72]))
    except OSError:
        pass
    return None


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace").rstrip(" \0")


def _partitions() -> list[Path]:
    found = []
    for disk in _disks():
        names = [path.name for path in Path("/sys/block", disk.name).glob(f"{disk.name}*")]
        found += [Path("/dev", name) for name in sorted(names, key=lambda n: (len(n), n))]
    return found


def _mount(volume: Volume, where: Path) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    device = str(volume.device)
    if volume.kind == "ntfs":
        _run("ntfs-3g", "-o", NTFS_OPTIONS, device, str(where))
    elif volume.kind in CD_KINDS:
        _run("mount", "-t", volume.kind, "-o", "ro,iocharset=utf8", device, str(where))
    else:
        options = "ro" if volume.device.name.startswith("fd") else "rw"
        _run("mount", "-t", "vfat", "-o", f"{options},utf8,shortname=mixed", device, str(where))
    return where


def _run(*argv: str, check: bool = True) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise OSError(f"{argv[0]} exited with {done.returncode}: {said}")


def _wait(condition: Callable[[], bool], patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


def _has_tablet() -> bool:
    """Is there an absolute pointer among the kernel's input devices?"""
    listed = Path("/proc/bus/input/devices").read_text()
    return any("B: ABS=" in block and "mouse" in block for block in listed.split("\n\n"))
