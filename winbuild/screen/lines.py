"""Words with their places → lines as a person sees them.

Tesseract's own lines are not used: on sparse screens it splits them at wide gaps between
words, and joins what stands in different columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from winbuild.screen import textmatch
from winbuild.screen.areas import Box

# A gap wider than so many line heights parts two texts on the same level (label and field).
_COLUMN_GAP = 2.0
# A line below belongs to the same sentence if it is no further away, in line heights.
_PARAGRAPH_GAP = 1.6
_WRAPPED_LINES = 3


@dataclass(frozen=True)
class Word:
    """A word that was read, its place in pixels, and the reader's confidence (0 to 100)."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True)
class Line:
    words: tuple[Word, ...]
    box: Box

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    def shifted(self, x: int, y: int) -> Line:
        moved = (Word(w.text, w.box.shifted(x, y), w.confidence) for w in self.words)
        return Line(tuple(moved), self.box.shifted(x, y))


@dataclass(frozen=True)
class Found:
    """A phrase on the screen: where, how similar (0.0 to 1.0), and what was read there."""

    box: Box
    similarity: float
    read: str

    def shifted(self, x: int, y: int) -> Found:
        return replace(self, box=self.box.shifted(x, y))


def lines_of(words: Sequence[Word]) -> tuple[Line, ...]:
    """Group words into lines, from top to bottom and left to right."""
    lines: list[Line] = []
    for row in _rows(words):
        run: list[Word] = []
        for word in sorted(row, key=lambda w: w.box.left):
            if run and word.box.left - run[-1].box.right > _COLUMN_GAP * _height(run):
                lines.append(_line(run))
                run = []
            run.append(word)
        lines.append(_line(run))
    return tuple(sorted(lines, key=lambda line: (line.box.top, line.box.left)))


def _rows(words: Sequence[Word]) -> list[list[Word]]:
    """Words on one level.

    Those of usual height come first and say where the rows are: an icon that is read as a
    letter two lines high would draw both lines together.
    """
    if not words:
        return []
    usual = median(word.box.height for word in words)
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: abs(w.box.height - usual)):
        level = word.box.centre[1]
        for row in rows:
            if median(w.box.top for w in row) <= level < median(w.box.bottom for w in row):
                row.append(word)
                break
        else:
            rows.append([word])
    return rows


def _height(words: Sequence[Word]) -> int:
    return max(word.box.height for word in words)


def _line(words: Sequence[Word]) -> Line:
    return Line(tuple(words), Box.around(word.box for word in words))


@dataclass(frozen=True)
class Passage:
    """A line with up to two that follow it, folded for comparing.

    `owners` gives for each sign of `text` the index of its word; the first `head` signs are
    those of the line itself.
    """

    words: tuple[Word, ...]
    text: str
    owners: tuple[int, ...]
    head: int


@dataclass(frozen=True)
class BlockText:
    """What was read in one block, in the block's own pixels."""

    lines: tuple[Line, ...]
    passages: tuple[Passage, ...]

    @classmethod
    def of(cls, words: Sequence[Word]) -> BlockText:
        lines = lines_of(words)
        return cls(lines, tuple(_passage(lines, index) for index in range(len(lines))))


def _passage(lines: Sequence[Line], index: int) -> Passage:
    chain = [lines[index]]
    for below in lines[index + 1 :]:
        if len(chain) == _WRAPPED_LINES:
            break
        if _continues(chain[-1].box, below.box):
            chain.append(below)
    words = tuple(word for line in chain for word in line.words)
    text, owners = textmatch.pieces_of([word.text for word in words])
    head = sum(1 for owner in owners if owner < len(chain[0].words))
    return Passage(words, text, tuple(owners), head)


def _continues(box: Box, below: Box) -> bool:
    gap = below.top - box.bottom
    height = max(box.height, below.height)
    aligned = below.left < box.right and box.left < below.right
    return aligned and -0.5 * height < gap < _PARAGRAPH_GAP * height and below.top > box.top


def find_phrase(
    block: BlockText, phrase: str, area: Box, minimum: float, *, alone: bool = False
) -> Found | None:
    """The place most like `phrase` whose centre lies in `area`; None below `minimum`.

    A phrase may be wrapped over up to three lines. `alone`: nothing else may stand on its
    line, so that "Welcome" is not found in "Welcome to the wizard". Places are in the
    block's own pixels.
    """
    folded = textmatch.fold(phrase)
    best: Found | None = None
    for passage in block.passages:
        found = _in_passage(passage, folded, minimum, alone)
        if (
            found is not None
            and area.holds(found.box.centre)
            and (best is None or found.similarity > best.similarity)
        ):
            best = found
            if best.similarity == 1.0:
                break
    return best


def _in_passage(passage: Passage, folded: str, minimum: float, alone: bool) -> Found | None:
    text = passage.text[: passage.head] if alone else passage.text
    if alone and not textmatch.stands_alone(folded, text):
        return None
    window = textmatch.best_window(folded, text, minimum)
    # What begins in a later line is found in that line's own passage.
    if window is None or not window.start < min(window.end, passage.head):
        return None
    used = passage.words[passage.owners[window.start] : passage.owners[window.end - 1] + 1]
    read = " ".join(word.text for word in used)
    return Found(Box.around(word.box for word in used), window.similarity, read)
