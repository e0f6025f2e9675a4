"""Windows paths on the guest's real file systems: letters, backslashes, any case."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

DRIVE = re.compile(r"^([A-Za-z]):")


class Drives:
    """Finds the file that a Windows path means.

    `mounts` gives the drives that are there now, by letter. A path without a letter is on C:;
    one that does not begin at the root is meant from a current folder.
    """

    def __init__(self, mounts: Callable[[], dict[str, Path]]) -> None:
        self._mounts = mounts

    def letters(self) -> list[str]:
        return sorted(self._mounts())

    def absolute(self, path: str, folder: str = "C:\\") -> str:
        """`path` in full, with letter, without "." and ".."; `folder` is the current one."""
        path = path.replace("/", "\\")
        match = DRIVE.match(path)
        drive = (match.group(1) if match else folder[0]).upper()
        rest = path[2:] if match else path
        if not rest.startswith("\\"):
            # "a:name" is meant from the drive's own current folder, which is its root here.
            start = folder[2:] if folder[0].upper() == drive else "\\"
            rest = f"{start}\\{rest}"
        parts: list[str] = []
        for part in rest.split("\\"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part.rstrip(" ."))
        return f"{drive}:\\" + "\\".join(parts)

    def path(self, path: str, folder: str = "C:\\") -> Path | None:
        """The place that a path means, with the case that is on the disk.

        Parts that do not exist are taken as written, so the result can be created. None when
        there is no such drive.
        """
        full = self.absolute(path, folder)
        root = self._mounts().get(full[0])
        if root is None:
            return None
        place = root
        for part in filter(None, full[3:].split("\\")):
            place = place / _same_name(place, part)
        return place

    def existing(self, path: str, folder: str = "C:\\") -> Path | None:
        """The file or folder that a path means, if it is there."""
        place = self.path(path, folder)
        return place if place is not None and place.exists() else None


def _same_name(folder: Path, name: str) -> str:
    """`name` in the case in which `folder` has it."""
    if (folder / name).exists():
        return name
    wanted = name.casefold()
    try:
        entries = [entry.name for entry in folder.iterdir()]
    except OSError:
        return name
    return next((entry for entry in entries if entry.casefold() == wanted), name)
