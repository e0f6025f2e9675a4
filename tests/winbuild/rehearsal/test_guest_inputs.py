"""The kernel's input events, from pipes in place of /dev/input."""

from __future__ import annotations

import os

from winbuild.rehearsal.guest.inputs import INPUT_EVENT, Device, Inputs
from winbuild.rehearsal.guest.keyboard import KeyEvent, PointerEvent

SYN, KEY, ABS = 0, 1, 3
PATIENCE_S = 10.0


def write(file: int, *events: tuple[int, int, int]) -> None:
    os.write(file, b"".join(INPUT_EVENT.pack(0, 0, *event) for event in events))


def test_keys_and_pointer() -> None:
    keyboard_out, keyboard_in = os.pipe()
    tablet_out, tablet_in = os.pipe()
    devices = [Device(keyboard_out), Device(tablet_out, ((0, 32767), (0, 32767)))]
    inputs = Inputs.open((1024, 768), "jp106", devices)
    assert inputs.next_event(0) is None

    write(keyboard_in, (KEY, 42, 1), (SYN, 0, 0), (KEY, 40, 1), (KEY, 40, 2), (KEY, 40, 0))
    got = [inputs.next_event(PATIENCE_S) for _ in range(4)]
    chars = [event.char for event in got if isinstance(event, KeyEvent) and event.pressed]
    assert chars == [None, "*", "*"], "Shift, and a key that repeats"

    x, y = round(142 * 32767 / 1023), round(748 * 32767 / 767)
    write(tablet_in, (ABS, 0, x), (ABS, 1, y), (SYN, 0, 0), (KEY, 0x110, 1), (SYN, 0, 0))
    assert inputs.next_event(PATIENCE_S) == PointerEvent(142, 748)
    assert inputs.next_event(PATIENCE_S) == PointerEvent(142, 748, "left", True)
    os.close(keyboard_in)
    os.close(tablet_in)


def test_another_layout_from_now_on() -> None:
    out, source = os.pipe()
    inputs = Inputs.open(devices=[Device(out)])
    write(source, (KEY, 21, 1), (KEY, 21, 0))
    first = [inputs.next_event(PATIENCE_S) for _ in range(2)]
    inputs.use_layout("de")
    write(source, (KEY, 21, 1))
    second = inputs.next_event(PATIENCE_S)
    assert isinstance(first[0], KeyEvent) and first[0].char == "y"
    assert isinstance(second, KeyEvent) and second.char == "z"
    os.close(source)
