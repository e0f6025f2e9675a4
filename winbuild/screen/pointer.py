"""Clicks at the guest through QEMU's absolute pointer (usb-tablet).

Move, press and release are commands of their own, with pauses: of clicks whose press and
release came in one command the guest saw none.
"""

from __future__ import annotations

import time
from typing import Any

from winbuild.screen.keyboard import VmInput

PAUSE_S = 0.05

_FULL_SCALE = 32767  # QEMU's absolute axes run from 0 to this

# Where the pointer rests: at the right edge, a third down. It covers nothing that is read,
# and is far from the corners, which open menus in Windows 8's generation.
_REST = (32700, 10900)


class Pointer:
    def __init__(self, vm: VmInput, pause_s: float = PAUSE_S) -> None:
        self._vm = vm
        self._pause_s = pause_s

    def click(self, x: int, y: int, frame_size: tuple[int, int]) -> None:
        """Click with the left button at a pixel of a frame of that (width, height), then park."""
        width, height = frame_size
        self._move(_scaled(x, width), _scaled(y, height))
        for down in (True, False):
            self._vm.send_input([{"type": "btn", "data": {"down": down, "button": "left"}}])
            time.sleep(self._pause_s)
        self.park()

    def park(self) -> None:
        """Put the pointer where it neither hides anything nor opens a menu."""
        self._move(*_REST)

    def _move(self, x: int, y: int) -> None:
        self._vm.send_input([_axis("x", x), _axis("y", y)])
        time.sleep(self._pause_s)


def _scaled(pixel: int, size: int) -> int:
    """Hits the exact pixel: QEMU maps the last pixel, not the width, to full scale."""
    inside = min(max(pixel, 0), size - 1)
    return round(inside * _FULL_SCALE / max(1, size - 1))


def _axis(name: str, value: int) -> dict[str, Any]:
    return {"type": "abs", "data": {"axis": name, "value": value}}
