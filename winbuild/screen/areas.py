"""Rectangles: in parts of the screen (areas of the catalogue) and in pixels (what was found)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; `right` and `bottom` are just outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[int, int]:
        return (self.left + self.right) // 2, (self.top + self.bottom) // 2

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, point: tuple[int, int]) -> bool:
        return self.left <= point[0] < self.right and self.top <= point[1] < self.bottom

    def shifted(self, x: int, y: int) -> Box:
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def clipped(self, width: int, height: int) -> Box:
        left, top = min(max(0, self.left), width), min(max(0, self.top), height)
        right, bottom = min(max(left, self.right), width), min(max(top, self.bottom), height)
        return Box(left, top, right, bottom)

    @staticmethod
    def around(boxes: Iterable[Box]) -> Box:
        every = list(boxes)
        return Box(
            min(box.left for box in every),
            min(box.top for box in every),
            max(box.right for box in every),
            max(box.bottom for box in every),
        )


@dataclass(frozen=True)
class Area:
    """A part of the screen, each edge from 0.0 (left, top) to 1.0 (right, bottom).

    Relative, so that one definition serves 640x480 and 1920x1080.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(
                f"[{self.left}, {self.top}, {self.right}, {self.bottom}] is not an area: "
                "left < right and top < bottom, each from 0.0 to 1.0"
            )

    def box(self, width: int, height: int) -> Box:
        return Box(
            round(self.left * width),
            round(self.top * height),
            round(self.right * width),
            round(self.bottom * height),
        )


WHOLE = Area(0.0, 0.0, 1.0, 1.0)
