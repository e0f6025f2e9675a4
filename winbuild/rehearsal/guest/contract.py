"""What the parts of the guest expect of each other: the machine underneath, as a Protocol.

`system.py` has the real one; tests have one made of folders.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn, Protocol


class System(Protocol):
    """The machine under Windows: drives, power, a log, and switches that make it misbehave."""

    def mount_system(self) -> Path:
        """Where C: is mounted, read and write."""

    def drives(self) -> dict[str, Path]:
        """Mount point of each drive by its letter ("A", "C", "D" ...), the media that are in."""

    def volume_labels(self) -> dict[str, str]:
        """File system label of each drive of `drives()` by its letter, such as "METADATA"."""

    def reboot(self) -> NoReturn:
        """A reset, with everything written and unmounted before."""

    def power_off(self) -> NoReturn:
        """Power off through ACPI, with everything written and unmounted before."""

    def log(self, text: str) -> None:
        """One line of evidence on the serial console."""

    def switch(self, name: str) -> str | None:
        """The value of a misbehaviour switch; None when it is not set."""
