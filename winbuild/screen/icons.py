"""Finds icons that have no text: winbuild draws what it looks for.

An icon's white sign is found by its outline on a blue tile: where the white lies within its
own bounds, at a size of 16x16. That bears other sizes, other blues and a slanted tile. The
drawings were made from descriptions of the icons; none was compared with real Windows.

Imports numpy and Pillow at the top: for modules that do not run when winbuild starts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from winbuild.errors import UsageError
from winbuild.screen import checks
from winbuild.screen.areas import Box
from winbuild.screen.frame import Frame
from winbuild.screen.prepare import islands

_GRID = 16
_SIGN_PX = (7, 40)  # least and most width and height of the white sign
_TILE_SHARE = 0.6  # of what is not white around the sign

Mask = NDArray[np.float32]


def _powershell() -> Image.Image:
    """White > and _: the sign on the icon of Windows PowerShell."""
    picture = Image.new("L", (160, 160), 0)
    pen = ImageDraw.Draw(picture)
    pen.line([(36, 36), (84, 78), (36, 122)], fill=255, width=18, joint="curve")
    pen.line([(82, 122), (130, 122)], fill=255, width=16)
    return picture.crop(picture.getbbox())


_SIGNS: dict[str, Callable[[], Image.Image]] = {"powershell": _powershell}


@cache
def _sign(icon: str) -> tuple[Mask, float]:
    """The sign at grid size, and its width divided by its height."""
    try:
        picture = _SIGNS[icon]()
    except KeyError as exc:
        raise UsageError(
            f"winbuild has no drawing of an icon called {icon!r}",
            hint=f"there are: {', '.join(sorted(_SIGNS))}",
        ) from exc
    return _small(picture), picture.width / picture.height


def _small(picture: Image.Image) -> Mask:
    # Blurred, so that a stroke one pixel off still counts for the most part.
    small = picture.resize((_GRID, _GRID), Image.Resampling.BOX).filter(
        ImageFilter.GaussianBlur(1.0)
    )
    return np.asarray(small, np.float32) / np.float32(255)


def find_icon(frame: Frame, icon: str, area: Box, max_mse: float) -> Box | None:
    """The place of the icon's sign in pixels within `area`, or None.

    `max_mse` is the most that it may differ: the mean squared difference of the whites, each
    from 0.0 to 1.0.
    """
    template, proportion = _sign(icon)
    inside = area.clipped(frame.width, frame.height)
    part = checks.cut(frame, inside).astype(np.int16)
    red, green, blue = part[..., 0], part[..., 1], part[..., 2]
    tile = (blue > red + 30) & (blue > green + 8) & (blue > 60)
    white = (part.min(axis=-1) > 170) & ~tile
    best: tuple[float, Box] | None = None
    for edges in islands(white, apart=(3, 2)):
        place = Box(*edges)
        if not _fits(place, proportion) or not _on_tile(tile, white, place):
            continue
        mask = white[place.top : place.bottom, place.left : place.right]
        seen = _small(Image.fromarray(mask.astype(np.uint8) * 255))
        mse = float(np.mean((seen - template) ** 2))
        if mse <= max_mse and (best is None or mse < best[0]):
            best = (mse, place)
    return best[1].shifted(inside.left, inside.top) if best else None


def _fits(place: Box, proportion: float) -> bool:
    least, most = _SIGN_PX
    within = least <= place.width <= most and least <= place.height <= most
    return within and 0.7 < place.width / place.height / proportion < 1.4


def _on_tile(tile: NDArray[np.bool_], white: NDArray[np.bool_], place: Box) -> bool:
    """Is what lies around and between the white mostly blue?"""
    margin = max(2, place.height // 6)
    rows = slice(max(0, place.top - margin), place.bottom + margin)
    columns = slice(max(0, place.left - margin), place.right + margin)
    ground = ~white[rows, columns]
    return bool(tile[rows, columns][ground].mean() >= _TILE_SHARE) if ground.any() else False
