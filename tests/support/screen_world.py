"""What the tests of the screen share: frames drawn by hand, and a VM that shows a film."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from winbuild.errors import VmError
from winbuild.screen.frame import Frame


def plain_frame(rgb: tuple[int, int, int] = (0, 0, 0), size: tuple[int, int] = (320, 200)) -> Frame:
    return Frame(np.asarray(Image.new("RGB", size, rgb)))


def drawn_frame(image: Image.Image) -> Frame:
    return Frame(np.asarray(image.convert("RGB")))


def console_picture(
    *, active: bool = True, covered_by: tuple[int, int, int, int] | None = None
) -> Image.Image:
    """A console with a title at (260, 47) and a prompt at (62, 120), on a 800x600 desktop."""
    image = Image.new("RGB", (800, 600), (0, 80, 140))
    pen = ImageDraw.Draw(image)
    pen.rectangle((50, 40, 650, 400), fill=(235, 235, 235))
    pen.rectangle((60, 68, 640, 395), fill=(1, 36, 86))
    pen.text((260, 47), "Administrator: Windows PowerShell", (0, 0, 0) if active else (140,) * 3)
    pen.text((62, 80), "Windows PowerShell", (240, 240, 240))
    pen.text((62, 120), "PS C:\\Users\\Administrator>", (240, 240, 240))
    if covered_by:
        pen.rectangle(covered_by, fill=(250, 250, 250))
    return image


def ppm(frame: Frame) -> bytes:
    return b"P6\n%d %d\n255\n" % frame.size + frame.pixels.tobytes()


@dataclass(frozen=True)
class Status:
    state: str = "running"
    cause: str = ""


@dataclass
class FilmVm:
    """Shows each frame for `step_s` seconds of real time, the last one for ever.

    After the last frame the state becomes `end`, if one is given.
    """

    frames: Sequence[Frame]
    step_s: float = 0.05
    end: Status | None = None
    dumps: int = 0
    sent: list[list[dict[str, Any]]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def _place(self) -> int:
        return int((time.monotonic() - self._started) / self.step_s)

    def status(self) -> Status:
        return self.end if self.end and self._place() >= len(self.frames) else Status()

    def screendump(self) -> bytes:
        if self.status().state not in ("running", "paused"):
            raise VmError("QEMU has closed the connection")
        self.dumps += 1
        return ppm(self.frames[min(self._place(), len(self.frames) - 1)])

    def send_input(self, events: list[dict[str, Any]]) -> None:
        self.sent.append(events)
