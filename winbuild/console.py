"""The guest's screen, keyboard and pointer, opened together on a running VM.

Nothing imports this at start-up: it brings in numpy and the text recognition.
"""

from __future__ import annotations

from dataclasses import dataclass

from winbuild.screen.catalogue import LANGUAGES, Catalogue
from winbuild.screen.keyboard import Keyboard
from winbuild.screen.pointer import Pointer
from winbuild.screen.screen import Screen
from winbuild.ui import Ui
from winbuild.vm.vm import Vm


@dataclass(frozen=True)
class Console:
    """What a person at the machine has: eyes, keys and a mouse."""

    screen: Screen
    keyboard: Keyboard
    pointer: Pointer


def open_console(vm: Vm, ui: Ui, *, layout: str, key_gap_s: float, language: str) -> Console:
    """`layout` is the keyboard layout that the guest has; `language` its display language (a
    tag such as ja-JP). English is read too: parts of every Windows are in English."""
    # Its own language is tried first.
    own = [tag for tag in LANGUAGES if tag == language[:2] != "en"]
    languages = [*own, "en"]
    return Console(
        Screen(vm, Catalogue.load(languages=languages), ui=ui),
        Keyboard(vm, layout, gap_s=key_gap_s),
        Pointer(vm),
    )
