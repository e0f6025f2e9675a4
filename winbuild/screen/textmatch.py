"""Finds a phrase in text that was read off a screen, reading errors allowed.

Similarity is 1 minus the edits needed per character of the phrase, after folding: Unicode
compatibility form, case, spaces and punctuation dropped, and characters merged that a
reader of small type takes for one another.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

# What is one sign at eleven pixels' height. Voiced marks of kana go too (see `fold`).
_LOOKALIKES = str.maketrans(
    "01i|"
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
    "口力工二夕卜八へり一―─〇",
    "olll"
    "あいうえおつやゆよわアイウエオツヤユヨワカケ"
    "ロカエニタトハヘリーーーo",
)  # fmt: skip
_VOICED_MARKS = {"\u3099", "\u309a"}

DEFAULT_MIN = 0.85
"""Similarity from which a phrase counts as read; lower lets other phrases pass for it."""


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """The text as it is compared: letters and digits only, look-alikes merged."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(sign for sign in decomposed if sign not in _VOICED_MARKS)
    composed = unicodedata.normalize("NFC", plain).translate(_LOOKALIKES)
    return "".join(sign for sign in composed if sign.isalnum())


@dataclass(frozen=True)
class Window:
    """Where in a text the phrase is: `text[start:end]`, with its similarity (0.0 to 1.0)."""

    start: int
    end: int
    similarity: float


def best_window(phrase: str, text: str, minimum: float = DEFAULT_MIN) -> Window | None:
    """The part of `text` that is most like `phrase`, or None if none reaches `minimum`.

    Both are folded already.
    """
    if not phrase:
        return None
    exact = text.find(phrase)
    if exact >= 0:
        return Window(exact, exact + len(phrase), 1.0)
    # The small addition keeps 1 - 3/20 >= 0.85 true in binary fractions.
    allowed = int(len(phrase) * (1 - minimum) + 1e-9)
    best: Window | None = None
    for start, end in _promising(phrase, text, allowed) if allowed else ():
        if _least_edits(phrase, text[start:end]) > allowed:
            continue
        edits, left, right = _fewest_edits(phrase, text[start:end])
        if edits <= allowed and (best is None or 1 - edits / len(phrase) > best.similarity):
            best = Window(start + left, start + right, 1 - edits / len(phrase))
    return best


def _promising(phrase: str, text: str, allowed: int) -> list[tuple[int, int]]:
    """Parts of `text` in which the phrase may be, with so many edits at most.

    Cut into one piece more than edits are allowed, one piece must be there unharmed, and the
    phrase around it.
    """
    count = allowed + 1
    bounds = [round(index * len(phrase) / count) for index in range(count + 1)]
    parts = set()
    for left, right in pairwise(bounds):
        at = text.find(phrase[left:right])
        while at >= 0:
            parts.add((max(0, at - left - allowed), at - left + len(phrase) + allowed))
            at = text.find(phrase[left:right], at + 1)
    return sorted(parts)


@lru_cache(maxsize=1024)
def _sign_masks(phrase: str) -> dict[str, int]:
    masks: dict[str, int] = {}
    for index, sign in enumerate(phrase):
        masks[sign] = masks.get(sign, 0) | 1 << index
    return masks


def _least_edits(phrase: str, text: str) -> int:
    """The number that `_fewest_edits` gives, some twenty times faster, without the place.

    Myers' algorithm: a column of the table as the bits of two numbers, those where the cost
    rises by one from row to row and those where it falls.
    """
    masks = _sign_masks(phrase)
    length = len(phrase)
    every, last = (1 << length) - 1, 1 << (length - 1)
    rises, falls, cost, least = every, 0, length, length
    for sign in text:
        same = masks.get(sign, 0)
        down = same | falls
        across = (((same & rises) + rises) ^ rises) | same
        grows = falls | ~(across | rises) & every
        shrinks = rises & across
        if grows & last:
            cost += 1
        elif shrinks & last:
            cost -= 1
            least = min(least, cost)
        grows = grows << 1 & every
        rises = (shrinks << 1 & every) | ~(down | grows) & every
        falls = grows & down
    return least


def _fewest_edits(phrase: str, text: str) -> tuple[int, int, int]:
    """(edits, start, end) of the window of `text` closest to `phrase`.

    Sellers' algorithm: the edit distance's table, but a match may begin anywhere in the text
    (row 0 costs nothing) and end anywhere (the last row's minimum).
    """
    length = len(phrase)
    costs = list(range(length + 1))
    starts = [0] * (length + 1)
    best = (length, 0, 0)
    for position, sign in enumerate(text, 1):
        new_costs, new_starts = [0], [position]
        for row in range(1, length + 1):
            cost = costs[row - 1] + (phrase[row - 1] != sign)
            start = starts[row - 1]
            if costs[row] + 1 < cost:
                cost, start = costs[row] + 1, starts[row]
            if new_costs[row - 1] + 1 < cost:
                cost, start = new_costs[row - 1] + 1, new_starts[row - 1]
            new_costs.append(cost)
            new_starts.append(start)
        costs, starts = new_costs, new_starts
        if costs[length] < best[0]:
            best = (costs[length], starts[length], position)
    return best


def stands_alone(phrase: str, text: str) -> bool:
    """Is the folded line hardly more than the phrase?

    Up to two signs more are let pass: icons and spinners beside a text are read as letters.
    """
    return len(text) - len(phrase) <= 2


def pieces_of(words: Sequence[str]) -> tuple[str, list[int]]:
    """The folded words as one text, and for each of its signs the word that it is from."""
    folded = [fold(word) for word in words]
    owners = [index for index, word in enumerate(folded) for _ in word]
    return "".join(folded), owners
