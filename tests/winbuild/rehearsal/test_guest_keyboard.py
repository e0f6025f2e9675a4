"""What keys type in the guest: its own tables, held against those that winbuild types with."""

from __future__ import annotations

import string
from typing import Any

import pytest

from winbuild.rehearsal.guest.keyboard import KEY_NAMES, KeyboardState, Layout
from winbuild.screen.keyboard import Keyboard

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
# QEMU's names of keys → Linux' names, where they differ.
QEMU_NAMES = {
    "alt": "leftalt",
    "alt_r": "rightalt",
    "bracket_left": "leftbrace",
    "bracket_right": "rightbrace",
    "ctrl": "leftctrl",
    "ctrl_r": "rightctrl",
    "grave_accent": "grave",
    "less": "102nd",
    "ret": "enter",
    "shift": "leftshift",
    "shift_r": "rightshift",
    "spc": "space",
}


class Wire:
    """Takes the place of the VM: keys that winbuild presses go down in the guest."""

    def __init__(self, layout: str) -> None:
        self.keyboard = KeyboardState(Layout.load(layout))
        self.typed: list[str] = []
        self.chords: list[str] = []

    def send_input(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            name = event["data"]["key"]["data"]
            key = QEMU_NAMES.get(name, name)
            assert key in KEY_NAMES.values(), f"the guest has no key {key}"
            got = self.keyboard.event(key, event["data"]["down"])
            if got.pressed:
                self.typed.append(got.char or "")
                self.chords.append(got.chord)


@pytest.mark.parametrize("layout", ["us", "jp106", "de"])
def test_what_winbuild_types_arrives(layout: str) -> None:
    wire = Wire(layout)
    Keyboard(wire, layout, gap_s=0).type_text(PRINTABLE)
    assert "".join(wire.typed) == PRINTABLE


@pytest.mark.parametrize(
    ("guest", "arrives"),
    [("jp106", "a+run-sysprep"), ("de", "aÖrun/szsprep"), ("us", "a:run-sysprep")],
)
def test_a_wrong_layout_shows(guest: str, arrives: str) -> None:
    wire = Wire(guest)
    Keyboard(wire, "us", gap_s=0).type_text("a:run-sysprep")
    assert "".join(wire.typed) == arrives.replace("/", "ß" if guest == "de" else "/")


def test_chords() -> None:
    wire = Wire("us")
    keyboard = Keyboard(wire, "us", gap_s=0)
    for chord in ("ctrl-alt-delete", "ret", "ctrl-c"):
        keyboard.press(chord)
    assert [c for c in wire.chords if "left" not in c] == ["ctrl+alt+delete", "enter", "ctrl+c"]
    assert "".join(wire.typed) == "", "no character comes with Ctrl or Alt down"


def test_caps_lock_and_keypad() -> None:
    keyboard = KeyboardState(Layout.load("us"))
    keyboard.event("capslock", True)
    keyboard.event("capslock", False)
    assert keyboard.event("a", True).char == "A"
    assert keyboard.event("1", True).char == "1", "Caps Lock is for letters"
    keyboard.event("leftshift", True)
    assert keyboard.event("b", True).char == "b"
    assert keyboard.event("kp7", True).char == "7"


def test_every_letter_and_digit_has_a_scan_code() -> None:
    assert set(string.ascii_lowercase + string.digits) <= set(KEY_NAMES.values())


def test_unknown_layout() -> None:
    with pytest.raises(ValueError, match="klingon"):
        Layout.load("klingon")
