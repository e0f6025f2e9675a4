"""The installed Windows as the other parts of the guest see it: its files and what it remembers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from .drives import Drives
from .hive import Accounts, Registry, read_json, write_json
from .stage import Stage

SETUP_STATE_KEY = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State"
COMPUTER_NAME_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName"
ADMINISTRATOR = "Administrator"


class Computer:
    """Windows on C:. `state` holds the phase and what Setup left (rehearsal-state.json)."""

    def __init__(self, stage: Stage, root: Path) -> None:
        self.stage, self.root = stage, root
        self.system = stage.system
        self.drives = Drives(self._mounts)
        config = self.file("C:\\Windows\\System32\\config")
        self._state_file = config / "rehearsal-state.json"
        self.state: dict[str, Any] = read_json(self._state_file)
        self.registry = Registry(config / "HIVES.json")
        self.accounts = Accounts(config / "SAM.json")

    def _mounts(self) -> dict[str, Path]:
        return {**self.system.drives(), "C": self.root}

    def file(self, path: str) -> Path:
        """Where a path on C: is, or would be."""
        place = self.drives.path(path)
        assert place is not None, "C: is always there"
        return place

    def save_state(self, **changes: object) -> None:
        """Remember `changes` over a restart; a value of None forgets the name."""
        self.state.update(changes)
        self.state = {key: value for key, value in self.state.items() if value is not None}
        write_json(self._state_file, self.state)

    def append(self, path: str, text: str) -> None:
        """Add to a text file on C:, with Windows' line ends."""
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", newline="\r\n") as stream:
            stream.write(text)

    def setup_log(self, text: str, *, error: bool = False, folder: str = "") -> None:
        """A line in setupact.log, and in setuperr.log when it is an error.

        `folder` is where they are; that of Setup unless given.
        """
        folder = folder or "C:\\Windows\\Panther"
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        line = f"{stamp}, {'Error' if error else 'Info':<24}{text}\n"
        for name in ("setupact.log", "setuperr.log") if error else ("setupact.log",):
            self.append(f"{folder}\\{name}", line)
        if error:
            self.system.log(f"error: {text}")

    @property
    def name(self) -> str:
        """The computer's name."""
        key = f"{COMPUTER_NAME_KEY}\\ActiveComputerName"
        return self.registry.get(key, "ComputerName") or "WIN-REHEARSAL"

    def rename(self, name: str, *, at_once: bool = False) -> None:
        """A new name; it counts from the next start on, unless `at_once`."""
        self.registry.add(f"{COMPUTER_NAME_KEY}\\ComputerName", "ComputerName", "REG_SZ", name)
        if at_once:
            self.apply_name()

    def apply_name(self) -> None:
        """At every start: the name that was set becomes the active one."""
        name = self.registry.get(f"{COMPUTER_NAME_KEY}\\ComputerName", "ComputerName")
        if name:
            key = f"{COMPUTER_NAME_KEY}\\ActiveComputerName"
            self.registry.add(key, "ComputerName", "REG_SZ", name)

    def set_image_state(self, value: str) -> None:
        """What sysprep and Setup say of how far this Windows is, in hive and State.ini."""
        self.registry.add(SETUP_STATE_KEY, "ImageState", "REG_SZ", value)
        file = self.file("C:\\Windows\\Setup\\State\\State.ini")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"[State]\nImageState={value}\n", encoding="ascii", newline="\r\n")
