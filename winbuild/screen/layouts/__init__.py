"""Keyboard layouts: which keys of the guest's keyboard make which character. One TOML each.

::

    name       "jp106"
    [keys]     character = strokes, separated by spaces; a stroke is a QEMU key name
               ("qcode"), with modifiers before it: "shift+2"; two strokes: a dead key

The tables cover printable ASCII. The names are those of QEMU's QKeyCode.
Which language of Windows goes with which layout is told in winbuild/windows/languages.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from winbuild.errors import UsageError

_FOLDER = Path(__file__).parent

Stroke = tuple[str, ...]
"""Keys that are down together: modifiers first, the key itself last."""


@dataclass(frozen=True)
class Layout:
    name: str
    keys: Mapping[str, tuple[Stroke, ...]]


@cache
def layouts() -> Mapping[str, Layout]:
    """All layouts by name."""
    return {layout.name: layout for layout in map(_read, sorted(_FOLDER.glob("*.toml")))}


def layout(name: str) -> Layout:
    """The layout; UsageError, naming those that there are, if it is unknown."""
    try:
        return layouts()[name]
    except KeyError as exc:
        raise UsageError(
            f"winbuild knows no keyboard layout called {name!r}",
            hint=f"there are: {', '.join(sorted(layouts()))}",
        ) from exc


def _read(path: Path) -> Layout:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    keys = {
        character: tuple(tuple(stroke.split("+")) for stroke in strokes.split())
        for character, strokes in table["keys"].items()
    }
    return Layout(table["name"], keys)
