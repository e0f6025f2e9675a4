"""Replays the catalogue over a folder of pictures: which definitions match which, and how fast.

Labels are optional: `labels.tsv` in the folder has lines of one of two forms, with tabs::

    PICTURE  IDS               the screens that it shows, separated by commas; may be empty
    PICTURE  MODEL  PHRASE     a phrase that can be read on it, with tesseract's model

Pictures without a line are replayed and not judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from winbuild.errors import UsageError
from winbuild.screen import match
from winbuild.screen.areas import WHOLE
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.describe import text_read
from winbuild.screen.frame import Frame
from winbuild.screen.match import Sighting
from winbuild.screen.ocr import MODELS, Page, Reader
from winbuild.screen.textmatch import DEFAULT_MIN, fold

LABELS = "labels.tsv"
_PICTURES = (".png", ".ppm")


@dataclass(frozen=True)
class Replayed:
    """One picture. `seconds` is the time that reading and matching took; `text` is what was
    read if nothing matched; `phrase_read` is None unless the label is a phrase."""

    path: Path
    size: tuple[int, int]
    seen: tuple[Sighting, ...]
    expected: frozenset[str] | None
    phrase_read: bool | None
    seconds: float
    text: str

    @property
    def missed(self) -> frozenset[str]:
        return (self.expected or frozenset()) - {sighting.id for sighting in self.seen}

    @property
    def false(self) -> frozenset[str]:
        """Ids that matched although the label does not name them."""
        if self.expected is None:
            return frozenset()
        return frozenset(sighting.id for sighting in self.seen) - self.expected


def replay(
    folder: Path, catalogue: Catalogue, names: Sequence[str] | None = None
) -> Iterator[Replayed]:
    """Look at every picture of the folder, in the order of their names, one after another.

    `names` limits the catalogue to these ids. Raises UsageError for a folder that is
    missing or holds no picture, a picture that cannot be read, and labels of unknown ids.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder of pictures")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not pictures:
        raise UsageError(f"{folder} holds no picture", hint="pictures are *.png or *.ppm")
    labels = read_labels(folder / LABELS, catalogue)
    reader = Reader()
    reader.warm(catalogue.languages)
    try:
        for path in pictures:
            yield _one(path, catalogue, names, labels.get(path.name, Label()), reader)
    finally:
        reader.close()


def _one(
    path: Path,
    catalogue: Catalogue,
    names: Sequence[str] | None,
    label: Label,
    reader: Reader,
) -> Replayed:
    frame = Frame.from_file(path)
    started = time.perf_counter()
    page = Page(frame, reader)
    seen = tuple(match.sightings(page, catalogue, names))
    seconds = time.perf_counter() - started
    phrase_read = None
    if label.phrase:
        hit = match.find_text(page, [label.phrase], WHOLE, label.language, minimum=DEFAULT_MIN)
        phrase_read = hit is not None
    text = "" if seen else text_read(page, catalogue.languages)
    return Replayed(path, frame.size, seen, label.ids, phrase_read, seconds, text)


@dataclass(frozen=True)
class Label:
    """What a line of `labels.tsv` says: either the ids, or a phrase and its language."""

    ids: frozenset[str] | None = None
    language: str = ""
    phrase: str = ""


def read_labels(path: Path, catalogue: Catalogue) -> Mapping[str, Label]:
    """The labels by picture name; empty if there is no such file.

    Raises UsageError, with the line's number, for what is neither of the two forms.
    """
    if not path.is_file():
        return {}
    languages = {model: language for language, model in MODELS.items()}
    labels = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        name, *fields = line.split("\t")
        if len(fields) == 1:
            ids = frozenset(id_.strip() for id_ in fields[0].split(",") if id_.strip())
            for id_ in ids:
                catalogue.get(id_)
            labels[name] = Label(ids=ids)
        elif len(fields) == 2 and fields[0] in languages and fold(fields[1]):
            labels[name] = Label(language=languages[fields[0]], phrase=fields[1])
        else:
            raise UsageError(
                f"{path}, line {number}: {line!r} is no label",
                hint=f"PICTURE, tab, IDS; or PICTURE, tab, {' or '.join(languages)}, tab, PHRASE",
            )
    return labels


def table(results: Sequence[Replayed]) -> str:
    """The results as text: one line for each picture, then the sums."""
    width = max((len(result.path.name) for result in results), default=0)
    lines = [f"{r.path.name:<{width}}  {r.seconds * 1000:6.0f} ms  {_verdict(r)}" for r in results]
    return "\n".join([*lines, *_sums(results)])


def _sums(results: Sequence[Replayed]) -> Iterator[str]:
    judged = [result for result in results if result.expected is not None]
    phrases = [result for result in results if result.phrase_read is not None]
    yield f"{len(results)} pictures"
    if judged:
        right = sum(not result.missed and not result.false for result in judged)
        false = sum(len(result.false) for result in judged)
        missed = sum(len(result.missed) for result in judged)
        yield f"{right} of {len(judged)} right; {missed} missed, {false} false matches"
    if phrases:
        read = sum(result.phrase_read is True for result in phrases)
        yield f"{read} of {len(phrases)} phrases read"


def _verdict(result: Replayed) -> str:
    seen = ", ".join(f"{s.id} {s.score:.2f}" for s in result.seen)
    parts = [seen or f"nothing known: {result.text or 'no text'}"]
    if result.missed:
        parts.append(f"MISSED {', '.join(sorted(result.missed))}")
    if result.false:
        parts.append(f"FALSE {', '.join(sorted(result.false))}")
    if result.phrase_read is False:
        parts.append("PHRASE NOT READ")
    return "  ".join(parts)
