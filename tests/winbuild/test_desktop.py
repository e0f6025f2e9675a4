"""What a person does at a Windows console, against a desktop that does not help."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from winbuild.deadline import Deadline
from winbuild.errors import GuestTimeout
from winbuild.screen.areas import Box
from winbuild.step import StepContext
from winbuild.windows import desktop


class StubbornDesktop:
    """PowerShell's window is behind another, with something typed at its prompt. A click on its
    icon brings it to the front, or puts it away if it is there."""

    def __init__(self, *, in_front: bool, typed: str) -> None:
        self.in_front, self.typed = in_front, typed
        self.clicks = 0
        self.screen = self.keyboard = self.pointer = self

    def park(self) -> None:
        pass

    def point(self, screen: str, name: str) -> Box:
        return Box(130, 740, 150, 760)

    def frame(self) -> Any:
        return SimpleNamespace(width=1024, height=768)

    def click(self, x: int, y: int, size: tuple[int, int]) -> None:
        self.clicks += 1
        self.in_front = not self.in_front

    def press(self, chord: str) -> None:
        if chord == "esc" and self.in_front:
            self.typed = ""

    def wait_for(self, *names: str, deadline: Deadline, **options: Any) -> None:
        if not (self.in_front and not self.typed):
            raise GuestTimeout("the PowerShell window", deadline.seconds)


@pytest.mark.parametrize("in_front", [True, False])
@pytest.mark.parametrize("typed", ["", r"C:\Win"])
def test_a_fresh_prompt_is_had_whatever_stands_there(in_front: bool, typed: str) -> None:
    console = StubbornDesktop(in_front=in_front, typed=typed)
    settings = SimpleNamespace(screen_timeout_s=5)
    desktop.open_powershell(cast(StepContext, SimpleNamespace(console=console, settings=settings)))
    assert console.in_front and console.typed == "" and console.clicks <= 2
