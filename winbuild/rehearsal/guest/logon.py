"""The lock screen and the password: how a person gets in. Imports Pillow."""

from __future__ import annotations

import time

from PIL import Image, ImageDraw

from . import dialogs, pages, trouble, widgets
from .computer import ADMINISTRATOR, Computer
from .display import Box
from .keyboard import KeyEvent, PointerEvent
from .looks import WHITE
from .stage import Stage, Steps

CHORD = "ctrl+alt+delete"
# Without a key for this long, the password screen gives way to the lock screen again.
PATIENCE_S = 120.0
CLOCK_S = 15.0


def sign_in(computer: Computer) -> Steps[None]:
    """From the lock screen until the right password has been given, and Windows welcomes."""
    stage = computer.stage
    while True:
        yield from _lock(stage)
        if (yield from _password(computer)):
            break
    yield from _welcome(computer)


def _lock(stage: Stage) -> Steps[None]:
    """Only Ctrl+Alt+Delete leads away from it."""
    _draw_lock(stage)
    yield from trouble.at(stage, "lock")
    while True:
        event = yield (stage.backdrop, CLOCK_S)
        if event is None:
            _draw_lock(stage)
        elif isinstance(event, KeyEvent) and event.pressed and event.chord == CHORD:
            return


def _draw_lock(stage: Stage) -> None:
    texts, look = stage.texts, stage.look
    image = widgets.wallpaper(stage.size, look, "lock")
    width, height = stage.size
    if look.era == "7":
        words = texts("logon.press")
        widgets.text(image, (width // 2, height // 2 - 10), words, 16, WHITE, anchor="ma")
        widgets.text(
            image, (width // 2, height - 84), texts("logon.edition"), 22, WHITE, anchor="ma"
        )
    else:
        widgets.text(image, (60, height - 285), texts("logon.press"), 20, WHITE)
        widgets.text(image, (56, height - 245), time.strftime(texts("logon.clock")), 96, WHITE)
        widgets.text(image, (62, height - 130), time.strftime(texts("logon.date")), 36, WHITE)
    stage.set_backdrop(image)


class _Tile:
    """Where the parts of the password screen are."""

    def __init__(self, stage: Stage) -> None:
        width = stage.size[0]
        if stage.look.era == "7":
            self.picture: Box = (width // 2 - 64, 220, width // 2 + 64, 348)
            self.name = (width // 2, 366, "ma")
            left, top = width // 2 - 112, 408
        else:
            self.picture = (220, 290, 400, 470)
            self.name = (430, 316, "la")
            left, top = 430, 366
        self.field: Box = (left, top, left + 226, top + 30)
        self.arrow: Box = (left + 230, top, left + 260, top + 30)


def _password(computer: Computer) -> Steps[bool]:
    """True when the right password was given; False to go back to the lock screen."""
    stage = computer.stage
    tile = _Tile(stage)
    yield stage.pause(0.2, 1.0)
    typed = ""
    _draw_password(stage, tile)
    yield from trouble.at(stage, "password")
    while True:
        event = yield (stage.backdrop, PATIENCE_S)
        if event is None or (isinstance(event, KeyEvent) and event.pressed and event.key == "esc"):
            return False
        if isinstance(event, PointerEvent):
            submit = dialogs.clicked([tile.arrow], event) is not None
        else:
            submit = event.pressed and event.chord == "enter"
            if event.pressed and event.key == "backspace":
                typed = typed[:-1]
            elif event.pressed and event.char and event.char.isprintable():
                typed += event.char
        if submit:
            _show_words(stage, "logon.welcome")
            yield stage.pause(0.3, 1.2)
            if computer.accounts.accepts(ADMINISTRATOR, typed):
                return True
            typed = ""
            yield from _refuse(stage)
            _draw_password(stage, tile)
        else:
            _draw_field(stage, tile, typed)


def _draw_password(stage: Stage, tile: _Tile) -> None:
    image = widgets.wallpaper(stage.size, stage.look, "lock")
    left, top, right, _ = tile.picture
    image.paste(_draw_person(right - left), (left, top))
    x, y, anchor = tile.name
    widgets.text(image, (x, y), stage.texts("logon.user"), 24, WHITE, anchor=anchor)
    _draw_controls(stage, image, tile, "")
    stage.set_backdrop(image)


def _draw_person(size: int) -> Image.Image:
    """The picture of an account that has none of its own."""
    picture = Image.new("RGB", (size, size), (150, 180, 205))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((size // 3, size // 6, size * 2 // 3, size // 2), fill=WHITE)
    draw.ellipse((size // 6, size * 5 // 9, size * 5 // 6, size * 3 // 2), fill=WHITE)
    draw.rectangle((0, 0, size - 1, size - 1), outline=WHITE)
    return picture


def _draw_controls(stage: Stage, image: Image.Image, tile: _Tile, typed: str) -> None:
    hint = stage.texts("logon.password")
    widgets.text_field(image, tile.field, typed, stage.look, hint=hint, password=True)
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = tile.arrow
    draw.rectangle(tile.arrow, fill=stage.look.accent, outline=WHITE)
    middle = (top + bottom) // 2
    draw.line((left + 7, middle, right - 7, middle), fill=WHITE, width=2)
    tip = ((right - 13, middle - 6), (right - 7, middle), (right - 13, middle + 6))
    draw.line(tip, fill=WHITE, width=2)


def _draw_field(stage: Stage, tile: _Tile, typed: str) -> None:
    _draw_controls(stage, stage.backdrop.image, tile, typed)
    stage.backdrop.changed((tile.field[0], tile.field[1], tile.arrow[2] + 1, tile.arrow[3] + 1))


def _refuse(stage: Stage) -> Steps[None]:
    """The message that the password is wrong, until its button is pressed."""
    image = widgets.wallpaper(stage.size, stage.look, "lock")
    width, height = stage.size
    words, ok = stage.texts("logon.wrong"), stage.texts("logon.ok")
    widgets.text(image, (width // 2, height // 2 - 20), words, 16, WHITE, anchor="ma")
    button = (width // 2 - 48, height // 2 + 24, width // 2 + 48, height // 2 + 54)
    widgets.button(image, button, ok, stage.look, default=True)
    stage.set_backdrop(image)
    while dialogs.pressed([button], (yield stage.backdrop)) is None:
        pass


def _show_words(stage: Stage, key: str) -> None:
    words = stage.texts(key)
    stage.set_backdrop(pages.status_screen(stage.size, stage.look, words, kind="lock"))


def _welcome(computer: Computer) -> Steps[None]:
    stage = computer.stage
    yield from trouble.at(stage, "welcome")
    if not computer.state.get("profile_made"):
        _show_words(stage, "logon.profile")
        yield stage.pause(0.3, 1.0)
        _show_words(stage, "logon.desktop")
        yield stage.pause(0.5, 2.0)
        computer.file(f"C:\\Users\\{ADMINISTRATOR}\\Desktop").mkdir(parents=True, exist_ok=True)
        computer.save_state(profile_made=True)
