"""Whole screens that need no windows behind them: Setup's, the waiting ones, the blue one.

Each function returns a new image of the screen's size. Imports Pillow.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from . import widgets
from .display import Box
from .looks import WHITE, Look
from .texts import Texts

Size = tuple[int, int]


def _setup_window(size: Size, look: Look, title: str) -> tuple[Image.Image, Box]:
    image = widgets.wallpaper(size, look, "setup")
    left, top = (size[0] - 640) // 2, (size[1] - 480) // 2 - 20
    inside = widgets.window(image, (left, top, left + 640, top + 480), title, look)
    ImageDraw.Draw(image).rectangle((*inside[:2], inside[2] - 1, inside[3] - 1), fill=WHITE)
    return image, inside


def setup_page(
    size: Size,
    look: Look,
    title: str,
    heading: str,
    lines: Sequence[str] = (),
    *,
    percent: float | None = None,
    current: int | None = None,
    buttons: Sequence[str] = (),
) -> Image.Image:
    """A page of Setup: a heading, lines below it, a bar with `percent`, buttons.

    With `current`, lines before that index carry a tick and that line is bold: the list of
    what the installation has done and is doing.
    """
    image, inside = _setup_window(size, look, title)
    widgets.text(image, (inside[0] + 30, inside[1] + 28), heading, 20, look.link)
    y = inside[1] + 84
    for index, line in enumerate(lines):
        if current is not None and index < current:
            widgets.text(image, (inside[0] + 34, y), "✓", 14, (0, 128, 0))
        style = "bold" if index == current else "ui"
        left = inside[0] + (56 if current is not None else 30)
        y = widgets.paragraph(image, (left, y, inside[2] - 30, y), line, 13, style=style) + 10
    if percent is not None:
        bar = (inside[0] + 30, inside[3] - 80, inside[2] - 30, inside[3] - 64)
        widgets.progress_bar(image, bar, percent, look)
    if buttons:
        widgets.button_row(image, inside, buttons, look)
    return image


def language_page(size: Size, look: Look, texts: Texts, choices: Sequence[str] = ()) -> Image.Image:
    """The first page of Setup when no answer file says what to choose."""
    image, inside = _setup_window(size, look, texts("setup.title.install"))
    names = (*choices, *[texts("setup.language-name")] * 2, texts("setup.keyboard-name"))[:3]
    labels = ("setup.language", "setup.time-format", "setup.keyboard")
    y = inside[1] + 170
    for label, value in zip(labels, names, strict=True):
        widgets.text(image, (inside[0] + 240, y + 6), texts(label), 13, anchor="ra")
        field = (inside[0] + 256, y, inside[2] - 60, y + 26)
        widgets.text_field(image, field, value, look, focused=False)
        y += 40
    widgets.text(image, (inside[0] + 30, inside[3] - 90), texts("setup.language-hint"), 12)
    widgets.button_row(image, inside, [texts("setup.next")], look)
    return image


def dialog_page(
    size: Size, look: Look, title: str, words: str, buttons: Sequence[str], kind: str = "setup"
) -> Image.Image:
    """A message box alone on a background."""
    image = widgets.wallpaper(size, look, kind)
    widgets.dialog(image, title, words, buttons, look)
    return image


def status_screen(
    size: Size, look: Look, words: str, detail: str = "", *, kind: str = "setup", turn: int = 0
) -> Image.Image:
    """A waiting screen: large words, and the dots that turn (`turn` says how far)."""
    image = widgets.wallpaper(size, look, kind)
    draw = ImageDraw.Draw(image)
    middle, y = size[0] // 2, size[1] // 2
    for dot in range(5):
        x = middle - 40 + 20 * ((dot + turn) % 5)
        draw.ellipse((x - 3, y - 63, x + 3, y - 57), fill=WHITE)
    widgets.text(image, (middle, y), words, 24, WHITE, anchor="ma")
    if detail:
        widgets.text(image, (middle, y + 44), detail, 18, WHITE, anchor="ma")
    return image


def blue_screen(size: Size, look: Look, texts: Texts, number: str, name: str) -> Image.Image:
    """The end of the guest: `number` such as "0x0000007B", `name` its symbolic name."""
    if look.era == "7":
        image = Image.new("RGB", size, (0, 0, 130))
        body = f"{texts('crash.text')}\n\n{name}\n\n{texts('crash.code', number=number, name=name)}"
        for index, line in enumerate(body.split("\n")):
            widgets.text(image, (20, 24 + 24 * index), line, 16, WHITE, "mono")
    else:
        image = Image.new("RGB", size, (16, 113, 184))
        widgets.text(image, (100, 130), ":(", 110, WHITE)
        box = (104, 320, size[0] - 100, size[1])
        y = widgets.paragraph(image, box, texts("crash.text"), 24, WHITE)
        code = texts("crash.code", number=number, name=name)
        widgets.paragraph(image, (104, y + 24, size[0] - 100, size[1]), code, 14, WHITE)
    widgets.note(image)
    return image
