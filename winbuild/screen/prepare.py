"""Makes a frame readable: grey, flat background, and the blocks where text may be.

Windows draws text on gradients and pictures, light on dark and dark on light. Subtracting
the local background (the median of what is around) and normalising leaves dark signs on
white in every case. How far "around" reaches is a choice between two faults: a wide window
misses the ground of a narrow field or button, a narrow one eats into large type. So there
are two readings, and what either reads counts. (A third, the plain grey picture, read
nothing on 88 labelled pictures that these two had not.)

Imports numpy and Pillow at the top: for modules that do not run when winbuild starts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from winbuild.screen.areas import Box
from winbuild.screen.frame import Frame

Grey = NDArray[np.uint8]

# Reading → (every so many pixels one is taken, samples across): "fine" looks 20 pixels around,
# less than the height of a field; "coarse" 52, more than two lines.
_AROUND = {"fine": (4, 5), "coarse": (4, 13)}
READINGS = tuple(_AROUND)
"""In the order in which they are tried: the first finds most on small type."""
_BLOCK_TILE = 16  # pixels; about the height of a line
_INK = 70  # of 255, after normalising
_LEAST_CONTRAST = 60  # of 255; a fainter picture is not stretched any further
_LEAST_EDGES = 4  # upright edges in one row of pixels, over three tiles
_LEAST_ROWS = 3  # such rows in a tile
# The gaps between words of large type, and a sentence that goes on in the next line.
_APART_TILES = (2, 1)
_MARGIN = 8  # pixels around a block: tesseract loses signs at the very rim


def grey(frame: Frame) -> Grey:
    return np.asarray(Image.fromarray(frame.pixels).convert("L"))


def flattened(picture: Grey, reading: str) -> Grey:
    """Dark signs on a white ground, whatever the background was."""
    height, width = picture.shape
    # A few of the pixels are enough for a median, and make it cheap.
    step, window = _AROUND[reading]
    samples = np.ascontiguousarray(picture[::step, ::step])
    medians = Image.fromarray(samples).filter(ImageFilter.MedianFilter(window))
    background = medians.resize(
        (medians.width * step, medians.height * step), Image.Resampling.NEAREST
    )
    distance = np.abs(picture.astype(np.int16) - np.asarray(background)[:height, :width])
    strongest = max(_LEAST_CONTRAST, int(np.percentile(distance[::2, ::2], 99.7)))
    stretched = np.minimum(distance * np.float32(255.0 / strongest), 255)
    return np.asarray(255 - stretched, np.uint8)


def text_blocks(flat: Grey) -> list[Box]:
    """Where the flattened picture may hold text: rectangles that do not overlap.

    Text is recognised by its many vertical edges; plain surfaces, which are most of a
    screen, never reach the reader.
    """
    height, width = flat.shape
    tile = _BLOCK_TILE
    rows, columns = -(-height // tile), -(-width // tile)
    ink = flat < 255 - _INK
    edges = np.zeros((rows * tile, columns * tile), np.uint8)
    edges[:height, : width - 1] = ink[:, 1:] != ink[:, :-1]
    per_tile = edges.reshape(rows * tile, columns, tile).sum(axis=2, dtype=np.uint8)
    # A letter or two is in a tile and its neighbours: four edges in a row. A line of a
    # picture has two, however long it is.
    wide = np.pad(per_tile, ((0, 0), (1, 1)))
    around = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    busy_rows = (around >= _LEAST_EDGES).reshape(rows, tile, columns).sum(axis=1)
    texty = (busy_rows >= _LEAST_ROWS) & (per_tile.reshape(rows, tile, columns).sum(axis=1) > 0)
    boxes = [
        Box(
            left * tile - _MARGIN, top * tile - _MARGIN, right * tile + _MARGIN,
            bottom * tile + _MARGIN,
        ).clipped(width, height)
        for left, top, right, bottom in islands(texty, _APART_TILES)
    ]  # fmt: skip
    return _merged(boxes)


def islands(
    marked: NDArray[np.bool_], apart: tuple[int, int]
) -> Iterator[tuple[int, int, int, int]]:
    """Bounding rectangles (left, top, right, bottom) of marked places that are near another.

    Near: with at most twice `apart` (across, down) unmarked places between them.
    """
    across, down = apart
    grown = marked.copy()
    for step in range(1, across + 1):
        grown[:, step:] |= marked[:, :-step]
        grown[:, :-step] |= marked[:, step:]
    level = grown.copy()
    for step in range(1, down + 1):
        grown[step:] |= level[:-step]
        grown[:-step] |= level[step:]
    rows, columns = grown.shape
    seen = np.zeros_like(grown)
    for first in zip(*np.nonzero(grown), strict=True):
        start = (int(first[0]), int(first[1]))
        if seen[start]:
            continue
        seen[start] = True
        waiting, tiles = [start], []
        while waiting:
            row, column = waiting.pop()
            tiles.append((row, column))
            for near in (
                (row + 1, column),
                (row - 1, column),
                (row, column + 1),
                (row, column - 1),
            ):
                inside = 0 <= near[0] < rows and 0 <= near[1] < columns
                if inside and grown[near] and not seen[near]:
                    seen[near] = True
                    waiting.append(near)
        own = [tile for tile in tiles if marked[tile]]
        columns_used = [column for _, column in own]
        rows_used = [row for row, _ in own]
        yield min(columns_used), min(rows_used), max(columns_used) + 1, max(rows_used) + 1


def _merged(boxes: list[Box]) -> list[Box]:
    """Join rectangles that overlap, until none do."""
    done: list[Box] = []
    waiting = list(boxes)
    while waiting:
        box = waiting.pop()
        overlapping = [other for other in done if other.overlaps(box)]
        if overlapping:
            done = [other for other in done if not other.overlaps(box)]
            waiting.append(Box.around([box, *overlapping]))
        else:
            done.append(box)
    return sorted(done, key=lambda box: (box.top, box.left))
