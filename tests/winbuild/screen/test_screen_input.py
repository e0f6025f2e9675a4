"""What the keyboard and the pointer send, checked against the practice guest's own tables."""

from __future__ import annotations

import string
import time
from typing import Any

import pytest
from screen_world import FilmVm

from winbuild.errors import UsageError
from winbuild.rehearsal.guest.keyboard import KeyboardState, Layout
from winbuild.screen.keyboard import Keyboard
from winbuild.screen.layouts import layouts
from winbuild.screen.pointer import Pointer
from winbuild.windows.languages import language, languages

PRINTABLE = "".join(chr(code) for code in range(32, 127))
# QEMU's key names → the kernel's, where they differ.
KERNEL = {
    "shift": "leftshift", "alt_r": "rightalt", "spc": "space", "ret": "enter",
    "bracket_left": "leftbrace", "bracket_right": "rightbrace", "grave_accent": "grave",
    "less": "102nd",
}  # fmt: skip


def keys(events: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(e["data"]["key"]["data"], e["data"]["down"]) for e in events if e["type"] == "key"]


def is_release(events: list[dict[str, Any]]) -> bool:
    return not any(down for _, down in keys(events))


def typed(layout_name: str, text: str) -> str:
    """What a guest with that layout gets, by the tables of the rehearsal guest."""
    vm = FilmVm([])
    Keyboard(vm, layout_name, gap_s=0).type_text(text)
    guest = KeyboardState(Layout.load(layout_name))
    got = ""
    for events in vm.sent:
        if is_release(events):
            continue
        for key, down in keys(events):
            got += guest.event(KERNEL.get(key, key), down).char or ""
    return got


@pytest.mark.parametrize("name", ["us", "jp106", "de"])
def test_every_printable_character_arrives(name: str) -> None:
    assert typed(name, PRINTABLE) == PRINTABLE


def test_the_german_letters_arrive_too() -> None:
    assert typed("de", "Grüße, Öl & Ähre: 5 €") == "Grüße, Öl & Ähre: 5 €"


@pytest.mark.parametrize("name", sorted(layouts()))
def test_a_character_fits_the_keyboards_queue_of_16_bytes(name: str) -> None:
    vm = FilmVm([])
    Keyboard(vm, name, gap_s=0).type_text(PRINTABLE)
    # A press is 1 byte, a release 2; keys of the right-hand side have a prefix each.
    sizes = [
        sum((1 if down else 2) + key.endswith("_r") for key, down in keys(events))
        for events in vm.sent
    ]
    assert max(sizes) <= 16


def test_every_language_of_windows_has_its_layout() -> None:
    for tag in languages():
        assert language(tag).keyboard in layouts()
    assert language("ja-JP").keyboard == "jp106"


def test_an_unknown_layout_is_an_error_at_once() -> None:
    with pytest.raises(UsageError, match="'dvorak'"):
        Keyboard(FilmVm([]), "dvorak")


def test_nothing_is_typed_if_one_character_has_no_key() -> None:
    vm = FilmVm([])
    with pytest.raises(UsageError, match="'ß', 'é'") as caught:
        Keyboard(vm, "us").type_line("caféß")
    assert vm.sent == []
    assert "nothing was typed" in (caught.value.hint or "")


def test_a_line_ends_with_return_and_modifiers_are_let_go_before_and_after() -> None:
    vm = FilmVm([])
    Keyboard(vm, "us", gap_s=0).type_line("A")
    strokes = [keys(events) for events in vm.sent]
    shift_a = [("shift", True), ("a", True), ("a", False), ("shift", False)]
    assert strokes[2:-2] == [shift_a, [("ret", True), ("ret", False)]]
    for released in (strokes[:2], strokes[-2:]):
        names = {key for stroke in released for key, down in stroke if not down}
        assert names == {"shift", "ctrl", "alt", "shift_r", "ctrl_r", "alt_r"}


def test_modifiers_are_let_go_even_when_the_vm_refuses() -> None:
    class Refuses(FilmVm):
        def send_input(self, events: list[dict[str, Any]]) -> None:
            super().send_input(events)
            if ("b", True) in keys(events):
                raise OSError("gone")

    vm = Refuses([])
    with pytest.raises(OSError, match="gone"):
        Keyboard(vm, "us", gap_s=0).type_text("abc")
    assert all(is_release(events) for events in vm.sent[-2:])
    assert not any(("c", True) in keys(events) for events in vm.sent)


@pytest.mark.parametrize(
    ("chord", "down"),
    [
        ("ctrl-alt-delete", ["ctrl", "alt", "delete"]),
        ("ret", ["ret"]),
        ("Enter", ["ret"]),
        ("alt-f4", ["alt", "f4"]),
        ("win-r", ["meta_l", "r"]),
        ("meta_l-r", ["meta_l", "r"]),
    ],
)
def test_a_chord_goes_down_in_order_and_up_in_reverse(chord: str, down: list[str]) -> None:
    vm = FilmVm([])
    Keyboard(vm, "us", gap_s=0).press(chord)
    (stroke,) = [keys(events) for events in vm.sent if not is_release(events)]
    assert stroke == [(key, True) for key in down] + [(key, False) for key in reversed(down)]


@pytest.mark.parametrize("chord", ["", "ctrl-", "-a"])
def test_an_empty_key_in_a_chord_is_an_error(chord: str) -> None:
    vm = FilmVm([])
    with pytest.raises(UsageError, match="empty"):
        Keyboard(vm, "us").press(chord)
    assert vm.sent == []


def test_characters_come_with_a_gap() -> None:
    vm = FilmVm([])
    started = time.monotonic()
    Keyboard(vm, "us", gap_s=0.01).type_text(string.ascii_lowercase)
    assert time.monotonic() - started >= 0.26


# -- the pointer -----------------------------------------------------------------------------


def place(events: list[dict[str, Any]]) -> dict[str, int]:
    return {e["data"]["axis"]: e["data"]["value"] for e in events if e["type"] == "abs"}


def test_a_click_is_move_press_release_in_commands_of_their_own_then_parks() -> None:
    vm = FilmVm([])
    Pointer(vm, pause_s=0).click(512, 384, (1024, 768))
    move, press, release, park = vm.sent
    assert place(move) == {"x": 16400, "y": 16405}
    assert press == [{"type": "btn", "data": {"down": True, "button": "left"}}]
    assert release == [{"type": "btn", "data": {"down": False, "button": "left"}}]
    assert place(park) != place(move)


@pytest.mark.parametrize("size", [(640, 480), (1024, 768), (1920, 1080)])
def test_every_pixel_is_hit_exactly(size: tuple[int, int]) -> None:
    vm = FilmVm([])
    pointer = Pointer(vm, pause_s=0)
    for x in range(0, size[0], 7):
        y = x % size[1]
        vm.sent.clear()
        pointer.click(x, y, size)
        at = place(vm.sent[0])
        # A guest scales the axis to its last pixel.
        assert round(at["x"] * (size[0] - 1) / 32767) == x
        assert round(at["y"] * (size[1] - 1) / 32767) == y


def test_the_parked_pointer_is_in_no_corner() -> None:
    vm = FilmVm([])
    Pointer(vm, pause_s=0).park()
    at = place(vm.sent[0])
    assert 2000 < at["y"] < 30767
    assert at["x"] > 32000
