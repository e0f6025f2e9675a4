"""What the first word of a command line stands for: its name, and the file that it starts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .drives import Drives

PATH_SUFFIXES = (".com", ".exe", ".bat", ".cmd", ".vbs")
SCRIPTS = (".bat", ".cmd")
SYSTEM_FOLDERS = (
    "C:\\Windows\\System32",
    "C:\\Windows",
    "C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
    "C:\\Windows\\System32\\Sysprep",
)
# After the name of these a dot, colon, slash or bracket may follow without a blank.
TIGHT_BUILTINS = ("echo", "cd", "chdir", "md", "mkdir", "rd", "rmdir", "dir", "goto", "call")


def split_name(text: str) -> tuple[str, str]:
    """The command's name and what stands behind it."""
    text = text.lstrip(" \t,;=")
    tight = re.match(rf"({'|'.join(TIGHT_BUILTINS)})(?=[.:\\/\[\]+(])", text, re.IGNORECASE)
    match = tight or re.match(r'(?:"[^"]*"?|[^\s,;="])+', text)
    if match is None:
        return "", ""
    return match[0], text[match.end() :]


def find_file(drives: Drives, name: str, folder: str, path: Sequence[str]) -> str | None:
    """Full Windows path of the script or program that `name` starts; None if there is none.

    A name without a folder is looked for in the current `folder`, then along `path`.
    """
    name = name.replace('"', "")
    has_suffix = name.lower().endswith(PATH_SUFFIXES)
    names = [name] if has_suffix else [name + suffix for suffix in PATH_SUFFIXES]
    folders = [folder] if any(char in name for char in "\\/:") else [folder, *path]
    for place in filter(None, folders):
        for candidate in names:
            full = drives.absolute(candidate, place)
            if drives.existing(full) is not None:
                return full
    return None
