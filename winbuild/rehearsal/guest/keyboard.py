"""What a key types: the guest's own keyboard tables.

A key is named as in Linux's input-event-codes.h, in lower case without "KEY_" ("a", "minus",
"yen"). The tables `layouts_NAME.toml` say which characters it types alone, with Shift and with
AltGr. Facts: the layouts us, jp(106) and de as every PC has them.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# Scan codes of the keys, linux/input-event-codes.h.
KEY_NAMES: dict[int, str] = {
    1: "esc",
    14: "backspace",
    15: "tab",
    28: "enter",
    29: "leftctrl",
    42: "leftshift",
    54: "rightshift",
    55: "kpasterisk",
    56: "leftalt",
    57: "space",
    58: "capslock",
    69: "numlock",
    70: "scrolllock",
    74: "kpminus",
    78: "kpplus",
    83: "kpdot",
    85: "zenkakuhankaku",
    86: "102nd",
    87: "f11",
    88: "f12",
    89: "ro",
    92: "henkan",
    93: "katakanahiragana",
    94: "muhenkan",
    96: "kpenter",
    97: "rightctrl",
    98: "kpslash",
    100: "rightalt",
    102: "home",
    103: "up",
    104: "pageup",
    105: "left",
    106: "right",
    107: "end",
    108: "down",
    109: "pagedown",
    110: "insert",
    111: "delete",
    124: "yen",
    125: "leftmeta",
    126: "rightmeta",
    **{2 + index: digit for index, digit in enumerate("1234567890")},
    **{16 + index: letter for index, letter in enumerate("qwertyuiop")},
    **{30 + index: letter for index, letter in enumerate("asdfghjkl")},
    **{44 + index: letter for index, letter in enumerate("zxcvbnm")},
    **dict(zip((12, 13), ("minus", "equal"), strict=True)),
    **dict(zip((26, 27), ("leftbrace", "rightbrace"), strict=True)),
    **dict(zip((39, 40, 41), ("semicolon", "apostrophe", "grave"), strict=True)),
    43: "backslash",
    **dict(zip((51, 52, 53), ("comma", "dot", "slash"), strict=True)),
    **{59 + index: f"f{1 + index}" for index in range(10)},
    **{71 + index: f"kp{7 + index}" for index in range(3)},
    **{75 + index: f"kp{4 + index}" for index in range(3)},
    **{79 + index: f"kp{1 + index}" for index in range(3)},
    82: "kp0",
}
KEYPAD = {f"kp{digit}": str(digit) for digit in range(10)} | {
    "kpasterisk": "*",
    "kpminus": "-",
    "kpplus": "+",
    "kpslash": "/",
    "kpdot": ".",
}
SHIFT = {"leftshift", "rightshift"}
CONTROL = {"leftctrl", "rightctrl"}
ALT = {"leftalt", "rightalt"}


@dataclass(frozen=True)
class KeyEvent:
    """A key went down or up.

    `char` is what it types, if it types anything and no Ctrl or Alt is down (two characters
    after a dead key that does not go with it). `chord` names
    what is held together in one fixed order: "ctrl+alt+delete", "ctrl+c", "enter".
    """

    key: str
    pressed: bool
    char: str | None = None
    chord: str = ""


@dataclass(frozen=True)
class PointerEvent:
    """The pointer moved (`button` is None), or a button went down or up. Pixels of the screen."""

    x: int
    y: int
    button: Literal["left", "right", "middle"] | None = None
    pressed: bool = False


Event = KeyEvent | PointerEvent


@dataclass(frozen=True)
class Layout:
    """What each key types: (alone, with Shift, with AltGr); "" for nothing.

    A character of `dead` waits for the next one, to stand above it.
    """

    name: str
    keys: dict[str, tuple[str, str, str]]
    dead: str = ""

    @classmethod
    def load(cls, name: str) -> Layout:
        """The table of `name`: "us", "jp106" or "de". Raises ValueError for any other."""
        file = Path(__file__).with_name(f"layouts_{name}.toml")
        if not file.is_file():
            raise ValueError(f"no keyboard layout {name!r}")
        with file.open("rb") as stream:
            table = tomllib.load(stream)
        keys = {letter: (letter, letter.upper(), "") for letter in "abcdefghijklmnopqrstuvwxyz"}
        keys["space"] = (" ", " ", "")
        for key, chars in table["keys"].items():
            plain, shifted, alt_gr = (*chars, "", "")[:3]
            keys[key] = (plain, shifted, alt_gr)
        return cls(name, keys, table.get("dead", ""))


@dataclass
class KeyboardState:
    """Turns keys going down and up into events; remembers what is held."""

    layout: Layout
    held: set[str] = field(default_factory=set)
    caps_lock: bool = False
    waiting: str = ""  # a dead key's character

    def event(self, key: str, pressed: bool) -> KeyEvent:
        if not pressed:
            self.held.discard(key)
            return KeyEvent(key, False, chord=key)
        if key == "capslock" and key not in self.held:
            self.caps_lock = not self.caps_lock
        self.held.add(key)
        return KeyEvent(key, True, self._typed(key), self._chord(key))

    def _typed(self, key: str) -> str | None:
        """What comes of the key after a dead one: the two together, or one after the other."""
        char = self._char(key)
        if char is None:
            return None
        waiting, self.waiting = self.waiting, ""
        if not waiting:
            if char in self.layout.dead:
                self.waiting = char
                return None
            return char
        return waiting if char == " " else _above(waiting, char)

    def _char(self, key: str) -> str | None:
        if self.held & CONTROL or "leftalt" in self.held:
            return None
        if key in KEYPAD:
            return KEYPAD[key]
        plain, shifted, alt_gr = self.layout.keys.get(key, ("", "", ""))
        if "rightalt" in self.held:
            return alt_gr or None
        shift = bool(self.held & SHIFT)
        if self.caps_lock and plain.isalpha():
            shift = not shift
        return (shifted if shift else plain) or None

    def _chord(self, key: str) -> str:
        if key in CONTROL | ALT | SHIFT:
            return key
        modifiers = (("ctrl", CONTROL), ("alt", ALT), ("shift", SHIFT))
        words = [word for word, names in modifiers if self.held & names]
        return "+".join((*words, "enter" if key == "kpenter" else key))


def _above(accent: str, char: str) -> str:
    """The character with the accent, if there is one; else both."""
    import unicodedata

    combining = {"^": "\u0302", "´": "\u0301", "`": "\u0300"}[accent]
    both = unicodedata.normalize("NFC", char + combining)
    return both if len(both) == 1 else accent + char
