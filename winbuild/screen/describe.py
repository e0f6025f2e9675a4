"""Says in words what a frame shows, for messages: "... the screen shows WORDS"."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np

from winbuild.screen import match
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.lines import Line
from winbuild.screen.match import Sighting
from winbuild.screen.ocr import Page
from winbuild.screen.prepare import READINGS

_MOST_SIGNS = 160
_LEAST_CONFIDENCE = 40.0  # of 100; below it is mostly patterns taken for letters
_UNIFORM = 6  # of 255; noise that still is one colour


def describe(page: Page, catalogue: Catalogue, languages: Sequence[str]) -> str:
    """The screens of the catalogue that are seen, or else the text that is read."""
    seen = match.sightings(page, catalogue)
    if seen:
        return in_words(seen)
    if _one_colour(page):
        return "nothing: it is all of one colour"
    text = text_read(page, languages)
    if not text:
        return "nothing that winbuild knows, and no text"
    return f'nothing that winbuild knows; text read: "{text}"'


def in_words(seen: Sequence[Sighting]) -> str:
    """The foremost screen, then those behind it."""
    front, behind = seen[0], seen[1:]
    if not behind:
        return front.title
    return f"{front.title} (and {', '.join(sighting.title for sighting in behind)})"


def text_read(page: Page, languages: Sequence[str]) -> str:
    """The frame's text as the reading and language that is surest gives it, shortened."""
    best: tuple[float, str] = (0.0, "")
    for language in languages:
        for reading in READINGS:
            lines = [line for line in page.lines(language, reading) if _sure(line)]
            weight = sum(_confidence(line) * len(line.text) for line in lines)
            text = " / ".join(line.text for line in lines)
            # The longer text wins at equal confidence: a weak reading leaves much out.
            if weight > best[0]:
                best = (weight, text)
    text = best[1]
    return text if len(text) <= _MOST_SIGNS else text[: _MOST_SIGNS - 1].rstrip() + "…"


def _confidence(line: Line) -> float:
    return mean(word.confidence for word in line.words)


def _sure(line: Line) -> bool:
    return _confidence(line) >= _LEAST_CONFIDENCE and any(sign.isalnum() for sign in line.text)


def _one_colour(page: Page) -> bool:
    pixels = page.frame.pixels[::2, ::2].reshape(-1, 3)
    spread = pixels.max(axis=0).astype(np.int16) - pixels.min(axis=0)
    return bool(spread.max() <= _UNIFORM)
