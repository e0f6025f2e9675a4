"""Finds icons that have no text: winbuild draws what it looks for.

What is compared is not the colour but where the icon is white on its tile, at a size of
16x16; that bears other sizes, other blues and a slanted tile. The drawings were made from
descriptions of the icons; none was compared with real Windows.

Imports numpy and Pillow at the top: for modules that do not run when winbuild starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from winbuild.errors import UsageError
from winbuild.screen import checks
from winbuild.screen.areas import Box
from winbuild.screen.frame import Frame

_SIZES = (16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40, 44, 48)  # pixels that icons may have
_GRID = 16
_MOST_CANDIDATES = 60

Mask = NDArray[np.float32]


def _powershell() -> Image.Image:
    """White > and _ on a tile: the icon of Windows PowerShell."""
    size = 160
    picture = Image.new("L", (size, size), 0)
    pen = ImageDraw.Draw(picture)
    pen.line([(36, 36), (84, 78), (36, 122)], fill=255, width=18, joint="curve")
    pen.line([(82, 122), (130, 122)], fill=255, width=16)
    return picture


_DRAWINGS: dict[str, Callable[[], Image.Image]] = {"powershell": _powershell}


@cache
def _template(icon: str) -> Mask:
    try:
        picture = _DRAWINGS[icon]()
    except KeyError as exc:
        raise UsageError(
            f"winbuild has no drawing of an icon called {icon!r}",
            hint=f"there are: {', '.join(sorted(_DRAWINGS))}",
        ) from exc
    return _small(picture)


def _small(picture: Image.Image) -> Mask:
    # Blurred, so that a stroke one pixel off still counts for the most part.
    small = picture.resize((_GRID, _GRID), Image.Resampling.BOX).filter(
        ImageFilter.GaussianBlur(1.0)
    )
    return np.asarray(small, np.float32) / np.float32(255)


def find_icon(frame: Frame, icon: str, area: Box, max_mse: float) -> Box | None:
    """The icon's place in pixels within `area`, or None if nothing differs by `max_mse` or less.

    The difference is the mean squared one of the whites, each from 0.0 to 1.0.
    """
    template = _template(icon)
    inside = area.clipped(frame.width, frame.height)
    part = checks.cut(frame, inside).astype(np.int16)
    red, green, blue = part[..., 0], part[..., 1], part[..., 2]
    tile = (blue > red + 30) & (blue > green + 8) & (blue > 60)
    white = (part.min(axis=-1) > 170) & ~tile
    best: tuple[float, Box] | None = None
    for place in _candidates(tile, white):
        mask = white[place.top : place.bottom, place.left : place.right]
        seen = _small(Image.fromarray(mask.astype(np.uint8) * 255))
        mse = float(np.mean((seen - template) ** 2))
        if mse <= max_mse and (best is None or mse < best[0]):
            best = (mse, place)
    return best[1].shifted(inside.left, inside.top) if best else None


def _candidates(tile: NDArray[np.bool_], white: NDArray[np.bool_]) -> Iterator[Box]:
    """Squares that are a tile with some white on it, the fullest first for each size."""
    for size in _SIZES:
        if size > min(tile.shape):
            continue
        tiles, whites = _window_share(tile, size), _window_share(white, size)
        full = tiles + whites
        fits = (tiles > 0.45) & (whites > 0.05) & (whites < 0.4) & (full > 0.8)
        rows, columns = np.nonzero(fits)
        order = np.argsort(-full[rows, columns], kind="stable")[:_MOST_CANDIDATES]
        for index in order:
            top, left = int(rows[index]), int(columns[index])
            yield Box(left, top, left + size, top + size)


def _window_share(mask: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    """Share of true pixels in the square of `size` that begins at each pixel."""
    sums = np.pad(mask.astype(np.int32).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    window = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    share: NDArray[np.float64] = window / (size * size)
    return share
