"""Pixel checks, and the icon that winbuild draws by itself."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from screen_world import console_picture, drawn_frame, plain_frame

from winbuild.errors import UsageError
from winbuild.screen import checks
from winbuild.screen.areas import WHOLE, Area, Box
from winbuild.screen.definition import ColourSpec, TaskbarSpec
from winbuild.screen.icons import find_icon

TITLE = Box(258, 45, 470, 62)
PROMPT = Box(60, 118, 222, 133)


def colour(at_least: float, at_most: float = 1.0) -> ColourSpec:
    return ColourSpec(WHOLE, (0, 0, 0), 10, at_least, at_most)


def test_the_share_of_a_colour_has_a_least_and_a_most() -> None:
    image = Image.new("RGB", (300, 300), (5, 5, 5))
    ImageDraw.Draw(image).rectangle((0, 0, 299, 74), fill=(200, 0, 0))
    frame = drawn_frame(image)
    assert checks.holds(colour(0.7), frame, {})
    assert not checks.holds(colour(0.8), frame, {})
    assert not checks.holds(colour(0.0, 0.7), frame, {})


@pytest.mark.parametrize("size", [(640, 480), (1024, 768), (1920, 1080)])
def test_the_taskbar_is_an_edge_from_side_to_side(size: tuple[int, int]) -> None:
    spec = TaskbarSpec(Area(0, 0.88, 1, 0.99))
    image = Image.new("RGB", size, (10, 60, 110))
    assert not checks.holds(spec, drawn_frame(image), {})
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, size[1] - 40, size[0] // 2, size[1]), fill=(30, 30, 40))
    assert not checks.holds(spec, drawn_frame(image), {}), "a window's edge is not enough"
    pen.rectangle((0, size[1] - 40, size[0], size[1]), fill=(30, 30, 40))
    assert checks.holds(spec, drawn_frame(image), {})


def in_front(image: Image.Image) -> bool:
    return checks.console_in_front(drawn_frame(image), TITLE, PROMPT)


def test_an_active_console_that_nothing_covers_is_in_front() -> None:
    assert in_front(console_picture())


def test_a_console_with_a_grey_title_is_not() -> None:
    assert not in_front(console_picture(active=False))


@pytest.mark.parametrize(
    "window", [(150, 60, 500, 300), (40, 135, 700, 500), (200, 70, 640, 116), (230, 100, 700, 390)]
)
def test_nor_one_that_a_window_lies_over(window: tuple[int, int, int, int]) -> None:
    assert not in_front(console_picture(covered_by=window))


def test_nor_one_whose_title_is_below_its_prompt() -> None:
    assert not checks.console_in_front(drawn_frame(console_picture()), PROMPT, TITLE)


def icon_frame(size: int, at: tuple[int, int] = (200, 722), *, glyph: str = ">_") -> Image.Image:
    """A slanted blue tile with a white sign, drawn otherwise than winbuild's own."""
    large = Image.new("RGBA", (size * 8, size * 8))
    pen = ImageDraw.Draw(large)
    unit = size * 8
    corners = [(0.18, 0.1), (0.98, 0.1), (0.82, 0.9), (0.02, 0.9)]
    pen.polygon([(x * unit, y * unit) for x, y in corners], fill=(20, 90, 180))
    if glyph == ">_":
        points = [(0.3, 0.25), (0.52, 0.48), (0.22, 0.75)]
        pen.line([(x * unit, y * unit) for x, y in points], "white", int(unit * 0.1), "curve")
        pen.line(
            [(unit * 0.48, unit * 0.74), (unit * 0.72, unit * 0.74)], "white", int(unit * 0.09)
        )
    else:
        font = ImageFont.load_default(unit * 0.7)
        pen.text((unit / 2, unit / 2), glyph, "white", font, anchor="mm")
    icon = large.resize((size, size), Image.Resampling.LANCZOS)
    image = Image.new("RGB", (1024, 768), (25, 35, 60))
    image.paste(icon, at, icon)
    return image


AREA = Box(0, 690, 600, 768)


@pytest.mark.parametrize("size", [16, 20, 24, 32, 40, 48])
def test_the_icon_is_found_at_every_size(size: int) -> None:
    found = find_icon(drawn_frame(icon_frame(size)), "powershell", AREA, 0.09)
    assert found is not None
    x, y = found.centre
    assert 200 <= x < 200 + size and 722 <= y < 722 + size


@pytest.mark.parametrize("glyph", ["e", "W", "X", "", "="])
def test_other_white_signs_on_blue_are_not_taken_for_it(glyph: str) -> None:
    assert find_icon(drawn_frame(icon_frame(32, glyph=glyph)), "powershell", AREA, 0.09) is None


def test_nor_the_same_sign_on_black() -> None:
    pixels = np.asarray(icon_frame(32)).copy()
    blue = (pixels[..., 2] > pixels[..., 0] + 30) & (pixels[..., 2] > 60)
    pixels[blue] = (10, 10, 10)
    assert find_icon(drawn_frame(Image.fromarray(pixels)), "powershell", AREA, 0.09) is None


def test_an_icon_outside_of_the_area_is_not_looked_for() -> None:
    frame = drawn_frame(icon_frame(32, at=(200, 100)))
    assert find_icon(frame, "powershell", AREA, 0.09) is None


def test_an_unknown_icon_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="'notepad'"):
        find_icon(plain_frame(), "notepad", AREA, 0.09)
