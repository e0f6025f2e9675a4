"""What the catalogue says of a screen: the shapes that its TOML files are read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from winbuild.screen.areas import Area

Meaning = Literal["expected", "waiting", "error", "needs-person"]
"""expected: the walk goes on from here; waiting: Windows is busy; error: it will not go on;
needs-person: Windows asks something that the answer file should have answered."""

Layer = Literal["dialog", "window", "full"]
"""What lies in front is named first: a dialog, a window, the whole screen."""


@dataclass(frozen=True)
class TextSpec:
    """A text that has to be there, any one of `say`, within `area`.

    `minimum` is the least similarity; `alone`: nothing else on its line; `name` is what
    points and pixel checks call the place where it was found.
    """

    say: tuple[str, ...]
    area: Area
    minimum: float
    alone: bool
    name: str


@dataclass(frozen=True)
class ColourSpec:
    """Share of the pixels in `area` whose every channel is within `tolerance` of `rgb`."""

    area: Area
    rgb: tuple[int, int, int]
    tolerance: int
    at_least: float
    at_most: float


@dataclass(frozen=True)
class TaskbarSpec:
    """A straight edge from side to side: the upper edge of the taskbar."""

    area: Area


@dataclass(frozen=True)
class ConsoleInFrontSpec:
    """The console with the texts called `title` and `prompt` is covered by nothing, and active."""

    title: str
    prompt: str


PixelSpec = ColourSpec | TaskbarSpec | ConsoleInFrontSpec


@dataclass(frozen=True)
class Variant:
    """One look of the screen: every text and every pixel check must hold."""

    name: str
    language: str
    texts: tuple[TextSpec, ...]
    pixels: tuple[PixelSpec, ...]


@dataclass(frozen=True)
class PointSpec:
    """A place to click: a text, or an icon that winbuild draws by itself (`icons`)."""

    name: str
    language: str
    area: Area
    say: tuple[str, ...] = ()
    minimum: float = 0.0
    alone: bool = False
    icon: str = ""
    max_mse: float = 0.0


@dataclass(frozen=True)
class Definition:
    """A screen: its name in steps (`id`), in sentences (`title`), and how to recognise it."""

    id: str
    title: str
    meaning: Meaning
    layer: Layer
    unless: tuple[str, ...]
    variants: tuple[Variant, ...]
    points: tuple[PointSpec, ...]

    def points_called(self, name: str) -> tuple[PointSpec, ...]:
        return tuple(point for point in self.points if point.name == name)


ANY_LANGUAGE = "any"
"""Variants that look the same in every Windows, such as what the firmware writes."""
