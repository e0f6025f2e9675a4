"""Message boxes that wait for an answer. Imports Pillow."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from . import widgets
from .display import Box
from .keyboard import Event, KeyEvent, PointerEvent
from .stage import Stage, Steps, Window


def ask(
    stage: Stage,
    title: str,
    words: str,
    buttons: Sequence[str],
    *,
    icon: str | None = "error",
) -> Steps[int]:
    """Show a message box; returns which button was pressed. Return presses the first."""
    whole = Image.new("RGB", stage.size)
    boxes = widgets.dialog(whole, title, words, buttons, stage.look, icon=icon)
    frame = whole.getbbox() or (0, 0, *stage.size)
    window = Window(frame[0], frame[1], whole.crop(frame))
    stage.show_window(window)
    try:
        while True:
            answer = pressed(boxes, (yield window))
            if answer is not None:
                return answer
    finally:
        stage.hide_window(window)


def pressed(boxes: Sequence[Box], event: Event) -> int | None:
    """Which of the buttons `event` presses, in pixels of the screen; keys press the first."""
    if isinstance(event, KeyEvent):
        return 0 if event.pressed and event.chord in ("enter", "space") else None
    return clicked(boxes, event)


def clicked(boxes: Sequence[Box], event: PointerEvent, left: int = 0, top: int = 0) -> int | None:
    """Which box a press of the left button hits; boxes are meant from (`left`, `top`)."""
    if not (event.pressed and event.button == "left"):
        return None
    x, y = event.x - left, event.y - top
    hits = (n for n, b in enumerate(boxes) if b[0] <= x < b[2] and b[1] <= y < b[3])
    return next(hits, None)
