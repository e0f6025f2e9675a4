"""Pixel checks of the catalogue: colours, the taskbar's edge, a console in front.

Imports numpy at the top: for modules that do not run when winbuild starts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from winbuild.screen.areas import Box
from winbuild.screen.definition import ColourSpec, ConsoleInFrontSpec, PixelSpec, TaskbarSpec
from winbuild.screen.frame import Frame, Pixels

_EDGE_STEP = 5  # least change of brightness (of 255) from the wallpaper to the taskbar
_EDGE_SHARE = 0.85  # of the columns; icons on the desktop may touch the bar


def needs_texts(spec: PixelSpec) -> bool:
    """True for checks that look at places where texts were found."""
    return isinstance(spec, ConsoleInFrontSpec)


def holds(spec: PixelSpec, frame: Frame, places: Mapping[str, Box]) -> bool:
    """Does the check hold? `places` has the boxes of the named texts."""
    if isinstance(spec, ColourSpec):
        return _colour(spec, frame)
    if isinstance(spec, TaskbarSpec):
        return _taskbar(spec, frame)
    return console_in_front(frame, places[spec.title], places[spec.prompt])


def _near(pixels: Pixels, rgb: NDArray[np.int16], tolerance: int) -> NDArray[np.bool_]:
    distance = np.abs(pixels.astype(np.int16) - rgb)
    return np.asarray(distance.max(axis=-1) <= tolerance)


def cut(frame: Frame, box: Box) -> Pixels:
    inside = box.clipped(frame.width, frame.height)
    return frame.pixels[inside.top : inside.bottom, inside.left : inside.right]


def _colour(spec: ColourSpec, frame: Frame) -> bool:
    # Every third pixel tells a share well enough.
    sample = cut(frame, spec.area.box(frame.width, frame.height))[::3, ::3]
    if sample.size == 0:
        return False
    share = float(_near(sample, np.array(spec.rgb, np.int16), spec.tolerance).mean())
    return spec.at_least <= share <= spec.at_most


def _taskbar(spec: TaskbarSpec, frame: Frame) -> bool:
    part = cut(frame, spec.area.box(frame.width, frame.height)).astype(np.int16)
    if part.shape[0] < 2:
        return False
    steps = np.abs(np.diff(part, axis=0)).max(axis=-1)
    return bool(((steps >= _EDGE_STEP).mean(axis=1) >= _EDGE_SHARE).any())


# --- a console in front ---------------------------------------------------------------

_SAME_COLOUR = 24  # of 255
# Titles of active windows are black or white, of others grey: contrast, of that which black or
# white would have.
_TITLE_CONTRAST = 0.7
_STRIP = 12  # pixels; width of the strips that are looked over for something in the way


def console_in_front(frame: Frame, title: Box, prompt: Box) -> bool:
    """Is the console with this title and prompt covered by nothing, and its title active?

    The console's ground must reach, in one piece, from its title to below the prompt and
    well to the right of it; a window that lies over it breaks that. That the window is
    active shows in its title only: grey where it is not. Looks of Windows in which both are
    alike exist (a person may choose such colours): a click on the title makes sure.
    """
    if title.top >= prompt.top:
        return False
    ground = np.median(cut(frame, prompt).reshape(-1, 3), axis=0).astype(np.int16)
    below = prompt.bottom + 3 * prompt.height
    if below > frame.height:
        # A prompt at the bottom of a console that reaches down to the edge of the screen.
        below = prompt.bottom
    body = Box(prompt.left, title.bottom, prompt.right + prompt.width // 2, below).clipped(
        frame.width, frame.height
    )
    is_ground = _near(cut(frame, body), ground, _SAME_COLOUR)
    top = _first_row_of_ground(is_ground)
    if top is None or top > 3 * title.height:
        return False
    return _in_one_piece(is_ground[top:]) and _active(frame, title)


def _first_row_of_ground(is_ground: NDArray[np.bool_]) -> int | None:
    """Below a title comes the rest of its bar, then the console."""
    rows = np.nonzero(is_ground.mean(axis=1) >= 0.5)[0]
    return int(rows[0]) if len(rows) else None


def _in_one_piece(is_ground: NDArray[np.bool_]) -> bool:
    """No strip, upright or lying, is mostly something else than ground (letters cover less)."""
    upright = [is_ground[:, x : x + _STRIP] for x in range(0, is_ground.shape[1], _STRIP)]
    lying = [is_ground[y : y + _STRIP] for y in range(0, is_ground.shape[0], _STRIP)]
    return all(strip.mean() >= 0.5 for strip in (*upright, *lying))


def _active(frame: Frame, title: Box) -> bool:
    brightness = cut(frame, title).astype(np.int16).mean(axis=-1)
    bar = float(np.median(brightness))
    darkest, lightest = np.percentile(brightness, (0.5, 99.5))
    dark, light = bar - darkest, lightest - bar
    return bool(
        dark >= _TITLE_CONTRAST * bar if dark > light else light >= _TITLE_CONTRAST * (255 - bar)
    )
