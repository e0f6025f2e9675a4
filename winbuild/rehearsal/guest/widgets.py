"""The parts that screens are drawn from. Every function draws on a Pillow image in RGB.

Boxes are (left, top, right, bottom) in pixels. Widgets keep no state: a screen is drawn anew
from what is known. Imports Pillow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageOps

from .display import Box
from .fonts import font_for, width
from .looks import BLACK, CONSOLE_BLUE, GREY, WHITE, Colour, Look

UI_PX = 13
TITLE_BAR_PX = 28
TASKBAR_PX = 40
NOTE = "winbuild rehearsal"
BULLET = "●"
CONSOLE_ROW_PX = 16
CONSOLE_COLUMN_PX = 8
CONSOLE_TEXT_PX = 13
CONSOLE_TEXT: Colour = (238, 237, 240)


def text(
    image: Image.Image,
    at: tuple[float, float],
    words: str,
    size_px: int = UI_PX,
    fill: Colour = BLACK,
    style: str = "ui",
    anchor: str = "la",
) -> None:
    """One line of text. `anchor` as in Pillow: "la" left and top, "ma" centred, "ra" right."""
    draw = ImageDraw.Draw(image)
    draw.text(at, words, font=font_for(words, size_px, style), fill=fill, anchor=anchor)


def wrap(words: str, width_px: int, size_px: int = UI_PX, style: str = "ui") -> list[str]:
    """`words` cut into lines of at most `width_px`; Japanese breaks at any character."""
    lines: list[str] = []
    for paragraph in words.split("\n"):
        line = ""
        for piece in _pieces(paragraph):
            if line and width((line + piece).rstrip(), size_px, style) > width_px:
                lines.append(line.rstrip())
                line = piece.lstrip()
            else:
                line += piece
        lines.append(line.rstrip())
    return lines


def _pieces(paragraph: str) -> list[str]:
    """Words with the blank after them; every CJK character is a piece of its own."""
    pieces = [""]
    for char in paragraph:
        if ord(char) >= 0x3000:
            pieces += [char, ""]
        else:
            pieces[-1] += char
            if char == " ":
                pieces.append("")
    return [piece for piece in pieces if piece]


def paragraph(
    image: Image.Image,
    box: Box,
    words: str,
    size_px: int = UI_PX,
    fill: Colour = BLACK,
    style: str = "ui",
    centred: bool = False,
) -> int:
    """`words` wrapped into `box`. Returns the y below the last line."""
    y = box[1]
    for line in wrap(words, box[2] - box[0], size_px, style):
        if centred:
            text(image, ((box[0] + box[2]) // 2, y), line, size_px, fill, style, "ma")
        else:
            text(image, (box[0], y), line, size_px, fill, style)
        y += round(size_px * 1.45)
    return y


@lru_cache(maxsize=4)
def _gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    if top == bottom:
        return Image.new("RGB", size, top)
    column = Image.linear_gradient("L").resize((1, size[1]))
    return ImageOps.colorize(column, top, bottom).resize(size)


def wallpaper(size: tuple[int, int], look: Look, kind: str = "setup") -> Image.Image:
    """A fresh background: `kind` is "setup", "lock" or "desktop". Carries the note."""
    colours: dict[str, tuple[Colour, Colour]] = {
        "setup": look.setup,
        "lock": look.lock,
        "desktop": look.desktop,
    }
    image = _gradient(size, *colours[kind]).copy()
    note(image)
    return image


def note_box(size: tuple[int, int]) -> Box:
    """Where the note stands: bottom right, above where a taskbar would be."""
    return (size[0] - 140, size[1] - TASKBAR_PX - 18, size[0], size[1] - TASKBAR_PX)


def note(image: Image.Image) -> None:
    """Says on every screen that this is no Windows."""
    box = note_box(image.size)
    text(image, (box[2] - 8, box[1]), NOTE, 11, (200, 214, 226), anchor="ra")


def window(
    image: Image.Image, box: Box, title: str, look: Look, *, front: bool = True, icon: bool = True
) -> Box:
    """A window with a title bar. Returns the box of its inside."""
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = box
    bar = look.title_bar if front else look.title_bar_behind
    draw.rectangle((left, top, right - 1, bottom - 1), fill=bar, outline=look.border)
    inside = (left + 4, top + TITLE_BAR_PX, right - 4, bottom - 4)
    draw.rectangle((inside[0], inside[1], inside[2] - 1, inside[3] - 1), fill=look.face)
    if icon:
        draw.rectangle((left + 8, top + 7, left + 21, top + 20), fill=look.accent, outline=WHITE)
    colour = look.title_text if front else GREY
    if look.era == "8":
        text(image, ((left + right) // 2, top + 6), title, 14, colour, anchor="ma")
    else:
        text(image, (left + (28 if icon else 10), top + 6), title, UI_PX, colour)
    draw.rectangle((right - 48, top + 1, right - 5, top + 19), fill=(199, 80, 80))
    draw.line((right - 31, top + 6, right - 23, top + 14), fill=WHITE, width=2)
    draw.line((right - 31, top + 14, right - 23, top + 6), fill=WHITE, width=2)
    return inside


def button(
    image: Image.Image,
    box: Box,
    label: str,
    look: Look,
    *,
    default: bool = False,
    enabled: bool = True,
) -> None:
    """A push button; the default one, which Return presses, has a coloured border."""
    draw = ImageDraw.Draw(image)
    border = look.accent if default else look.button_border
    draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=look.button, outline=border)
    if default:
        draw.rectangle((box[0] + 1, box[1] + 1, box[2] - 2, box[3] - 2), outline=border)
    fill = BLACK if enabled else (160, 160, 160)
    middle = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
    text(image, middle, label, UI_PX, fill, anchor="mm")


def button_row(
    image: Image.Image,
    inside: Box,
    labels: Sequence[str],
    look: Look,
    default: int | None = 0,
    disabled: Sequence[int] = (),
) -> list[Box]:
    """Buttons from the lower right corner of a window leftwards, in reading order."""
    boxes: list[Box] = []
    right = inside[2] - 12
    for label in reversed(labels):
        wide = max(80, width(label, UI_PX) + 24)
        boxes.insert(0, (right - wide, inside[3] - 36, right, inside[3] - 11))
        right -= wide + 8
    for index, (label, box) in enumerate(zip(labels, boxes, strict=True)):
        usable = index not in disabled
        button(image, box, label, look, default=index == default and usable, enabled=usable)
    return boxes


def text_field(
    image: Image.Image,
    box: Box,
    content: str,
    look: Look,
    *,
    hint: str = "",
    password: bool = False,
    focused: bool = True,
) -> None:
    """A field to type in; a password shows as bullets. The caret stands at the end."""
    draw = ImageDraw.Draw(image)
    border = look.accent if focused else look.button_border
    draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=WHITE, outline=border)
    middle = (box[1] + box[3]) // 2
    shown = BULLET * len(content) if password else content
    if shown:
        size = 12 if password else UI_PX + 1
        while width(shown, size) > box[2] - box[0] - 14:
            shown = shown[1:]
        text(image, (box[0] + 7, middle), shown, size, BLACK, anchor="lm")
    elif hint:
        text(image, (box[0] + 11, middle), hint, UI_PX + 1, GREY, anchor="lm")
    if focused:
        caret = box[0] + 7 + (width(shown, 12 if password else UI_PX + 1) if shown else 0)
        draw.line((caret, middle - 8, caret, middle + 8), fill=BLACK)


def dialog(
    image: Image.Image,
    title: str,
    words: str,
    buttons: Sequence[str],
    look: Look,
    *,
    wide_px: int = 460,
    icon: str | None = "error",
) -> list[Box]:
    """A message box in the middle of `image`; the first button is the default.

    `icon` is "error" (a red disc with a cross) or None. Returns the boxes of the buttons.
    """
    indent = 60 if icon else 20
    lines = wrap(words, wide_px - indent - 30)
    high = TITLE_BAR_PX + max(56, 24 + 19 * len(lines)) + 52
    left, top = (image.width - wide_px) // 2, (image.height - high) // 2 - 20
    inside = window(image, (left, top, left + wide_px, top + high), title, look, icon=False)
    draw = ImageDraw.Draw(image)
    draw.rectangle((inside[0], inside[1], inside[2] - 1, inside[3] - 46), fill=WHITE)
    if icon:
        disc = (inside[0] + 14, inside[1] + 16)
        draw.ellipse((*disc, disc[0] + 31, disc[1] + 31), fill=(196, 43, 28))
        for start, end in (((10, 10), (21, 21)), ((21, 10), (10, 21))):
            ends = [(disc[0] + x, disc[1] + y) for x, y in (start, end)]
            draw.line(ends, fill=WHITE, width=3)
    body = (inside[0] + indent, inside[1] + 20, inside[2] - 20, inside[3])
    paragraph(image, body, words)
    return button_row(image, inside, buttons, look)


def progress_bar(image: Image.Image, box: Box, percent: float, look: Look) -> None:
    """A bar filled to `percent`."""
    draw = ImageDraw.Draw(image)
    draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=(230, 230, 230), outline=GREY)
    filled = box[0] + 1 + round((box[2] - box[0] - 3) * min(100, max(0, percent)) / 100)
    draw.rectangle((box[0] + 1, box[1] + 1, filled, box[3] - 2), fill=(6, 176, 37))


def console_line(columns: int, words: str, background: Colour = CONSOLE_BLUE) -> Image.Image:
    """One row of a console, `columns` characters wide."""
    row = Image.new("RGB", (columns * CONSOLE_COLUMN_PX, CONSOLE_ROW_PX), background)
    if words:
        text(row, (2, 0), words[:columns], CONSOLE_TEXT_PX, CONSOLE_TEXT, "mono")
    return row
