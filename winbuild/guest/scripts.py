"""The scripts of this folder, as bytes: what goes on the floppy and into a Windows image."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent

SCRIPTS_FOLDER = "Windows/Setup/Scripts"
"""Where the scripts live on the Windows partition. Windows runs SetupComplete.cmd from there."""

SETUP_COMPLETE = "SetupComplete.cmd"

BACKUP_COMMAND = r"C:\Windows\Setup\Scripts\sysprep-for-backup.cmd"
"""What is typed in the guest to generalize it again."""

_ONLY_FOR_SETUP = "FinalStepsForInstall.cmd"
_INSTALLED = (
    "sysprep-for-backup.cmd",
    "SetupComplete-firstboot.cmd",
    "SetupComplete-install.cmd",
    "wakame-init-every-boot.cmd",
    "wakame-init-first-boot.ps1",
    "wakame-init-every-boot.ps1",
    "wakame-functions.ps1",
)


def floppy_scripts() -> dict[str, bytes]:
    """The scripts that the install floppy carries, by name."""
    return _read(*_INSTALLED, _ONLY_FOR_SETUP)


def installed_scripts() -> dict[str, bytes]:
    """What belongs in SCRIPTS_FOLDER of an image whose next boot is a first boot, by name.

    SetupComplete.cmd is the first-boot version here.
    """
    scripts = _read(*_INSTALLED)
    return {**scripts, SETUP_COMPLETE: scripts["SetupComplete-firstboot.cmd"]}


def _read(*names: str) -> dict[str, bytes]:
    return {name: (_FOLDER / name).read_bytes() for name in names}
