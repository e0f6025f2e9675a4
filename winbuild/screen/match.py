"""Which screens of the catalogue does a frame show?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from winbuild.screen import checks, icons
from winbuild.screen.areas import Area, Box
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.definition import (
    ANY_LANGUAGE,
    Definition,
    Layer,
    Meaning,
    PointSpec,
    Variant,
)
from winbuild.screen.lines import Found, find_phrase
from winbuild.screen.ocr import Page
from winbuild.screen.prepare import READINGS

_LAYER_ORDER: Mapping[Layer, int] = {"dialog": 0, "window": 1, "full": 2}
_SURE = 0.97  # a score at which no other variant need be looked at


@dataclass(frozen=True)
class Sighting:
    """A screen of the catalogue that a frame shows.

    `score` is the mean similarity of its texts (0.0 to 1.0); `texts` are the places, in the
    order of the variant's texts.
    """

    id: str
    title: str
    meaning: Meaning
    layer: Layer
    score: float
    language: str
    variant: str
    texts: tuple[Found, ...]

    def __str__(self) -> str:
        return self.title


def sightings(
    page: Page, catalogue: Catalogue, names: Iterable[str] | None = None
) -> list[Sighting]:
    """The screens that the page shows, the best first: in front before behind, then by score.

    `names` limits the search, and with it what has to be read, to these ids.
    """
    wanted = [d.id for d in catalogue] if names is None else list(names)
    seen: dict[str, Sighting | None] = {}

    def see(id_: str) -> Sighting | None:
        if id_ not in seen:
            seen[id_] = see_one(page, catalogue.get(id_))
        return seen[id_]

    found = []
    for id_ in wanted:
        sighting = see(id_)
        if sighting and not any(see(other) for other in catalogue.get(id_).unless):
            found.append(sighting)
    return sorted(found, key=lambda s: (_LAYER_ORDER[s.layer], -s.score, s.id))


def see_one(page: Page, definition: Definition) -> Sighting | None:
    """The definition's variant that fits best, or the first that fits surely; None if none does.

    `unless` is not looked at.
    """
    best: Sighting | None = None
    for variant in definition.variants:
        found = _variant(page, variant)
        if found is None:
            continue
        score = sum(text.similarity for text in found) / len(found)
        if best is None or score > best.score:
            best = Sighting(
                definition.id, definition.title, definition.meaning, definition.layer,
                score, variant.language, variant.name, tuple(found),
            )  # fmt: skip
        if best.score >= _SURE:
            break  # saves reading the screen with the next language's model
    return best


def _variant(page: Page, variant: Variant) -> list[Found] | None:
    """The places of the variant's texts, or None. Cheap pixel checks come before reading."""
    first = [spec for spec in variant.pixels if not checks.needs_texts(spec)]
    if not all(checks.holds(spec, page.frame, {}) for spec in first):
        return None
    places: dict[str, Box] = {}
    found: list[Found] = []
    for text in variant.texts:
        hit = find_text(
            page, text.say, text.area, variant.language, minimum=text.minimum, alone=text.alone
        )
        if hit is None:
            return None
        found.append(hit)
        places[text.name] = hit.box
    last = [spec for spec in variant.pixels if checks.needs_texts(spec)]
    return found if all(checks.holds(spec, page.frame, places) for spec in last) else None


def find_text(
    page: Page,
    phrases: Sequence[str],
    area: Area,
    language: str,
    *,
    minimum: float,
    alone: bool = False,
) -> Found | None:
    """The best place of any of the phrases; the second reading only if the first has none."""
    box = area.box(page.frame.width, page.frame.height)
    model = "en" if language == ANY_LANGUAGE else language
    for reading in READINGS:
        best: Found | None = None
        for block, text in page.texts(box, model, reading):
            own_area = box.shifted(-block.left, -block.top)
            for phrase in phrases:
                hit = find_phrase(text, phrase, own_area, minimum, alone=alone)
                if hit and (best is None or hit.similarity > best.similarity):
                    best = hit.shifted(block.left, block.top)
            if best and best.similarity == 1.0:
                break  # the blocks that follow need not be read
        if best:
            return best
    return None


def find_point(page: Page, points: Sequence[PointSpec]) -> Box | None:
    """The place of the first of these points that the page shows."""
    for point in points:
        box = point.area.box(page.frame.width, page.frame.height)
        if point.icon:
            place = icons.find_icon(page.frame, point.icon, box, point.max_mse)
        else:
            hit = find_text(
                page, point.say, point.area, point.language,
                minimum=point.minimum, alone=point.alone,
            )  # fmt: skip
            place = hit.box if hit else None
        if place:
            return place
    return None
