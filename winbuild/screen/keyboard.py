"""Types at the guest, in the keyboard layout that the guest uses.

One QMP command per character, holding its presses and releases: QEMU's PS/2 keyboard
queues 16 bytes, and loses what comes beyond. A gap of 20 ms between characters lost
nothing on a busy host; without a gap one run in four lost characters.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from winbuild.errors import UsageError
from winbuild.screen.layouts import Stroke, layout

GAP_S = 0.02

_MODIFIERS = ("shift", "ctrl", "alt", "shift_r", "ctrl_r", "alt_r")

# What people call keys → QEMU's QKeyCode, where the two differ.
_KEY_NAMES = {
    "altgr": "alt_r",
    "del": "delete",
    "enter": "ret",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "return": "ret",
    "space": "spc",
    "win": "meta_l",
}


class VmInput(Protocol):
    """What of the VM keyboard and pointer need. `events` is a list of QMP `InputEvent`s, sent
    as one `input-send-event`; VmError if the VM cannot take them."""

    def send_input(self, events: list[dict[str, Any]]) -> None: ...


class Keyboard:
    """Types with the layout that Windows uses ("us", "jp106", "de"); UsageError for others."""

    def __init__(self, vm: VmInput, layout_name: str, gap_s: float = GAP_S) -> None:
        self._vm = vm
        self._layout = layout(layout_name)
        self._gap_s = gap_s

    def type_text(self, text: str) -> None:
        """Type the characters. UsageError, before anything is typed, for one without a key."""
        self._strokes(self._strokes_of(text))

    def type_line(self, text: str) -> None:
        """Type the characters, then Return."""
        self._strokes([*self._strokes_of(text), ("ret",)])

    def press(self, chord: str) -> None:
        """Press keys together, such as "ctrl-alt-delete", "alt-f4" or "ret", and let them go."""
        self._strokes([tuple(_qcode(name) for name in chord.split("-"))])

    def release_modifiers(self) -> None:
        """Let go of every modifier that may be held: a lost release makes shifted text."""
        for half in (_MODIFIERS[:3], _MODIFIERS[3:]):
            self._vm.send_input([_key(name, down=False) for name in half])
            time.sleep(self._gap_s)

    def _strokes_of(self, text: str) -> list[Stroke]:
        unknown = sorted({sign for sign in text if sign not in self._layout.keys})
        if unknown:
            shown = ", ".join(repr(sign) for sign in unknown)
            raise UsageError(
                f"the keyboard layout {self._layout.name} has no key for {shown}",
                hint="nothing was typed; passwords and commands should keep to printable ASCII",
            )
        return [stroke for sign in text for stroke in self._layout.keys[sign]]

    def _strokes(self, strokes: Sequence[Stroke]) -> None:
        self.release_modifiers()
        try:
            for stroke in strokes:
                self._vm.send_input(stroke_events(stroke))
                time.sleep(self._gap_s)
        finally:
            self.release_modifiers()


def stroke_events(stroke: Stroke) -> list[dict[str, Any]]:
    """The keys go down in order and up in reverse."""
    down = [_key(name, down=True) for name in stroke]
    up = [_key(name, down=False) for name in reversed(stroke)]
    return down + up


def _key(qcode: str, *, down: bool) -> dict[str, Any]:
    return {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": qcode}}}


def _qcode(name: str) -> str:
    lowered = name.strip().lower()
    if not lowered:
        raise UsageError("a key's name is empty", hint='chords are written like "ctrl-alt-delete"')
    return _KEY_NAMES.get(lowered, lowered)
