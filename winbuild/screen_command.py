"""`winbuild screen test`: the screen catalogue over a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winbuild.screen import replay
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.replay import Replayed


@dataclass(frozen=True)
class Tested:
    """`right` is False if a labelled picture was judged wrongly."""

    table: str
    rows: list[dict[str, Any]]
    right: bool


def test(folder: Path) -> Tested:
    """Look at every picture in `folder`."""
    results = list(replay.replay(folder, Catalogue.load()))
    wrong = [r for r in results if r.missed or r.false or r.phrase_read is False]
    return Tested(replay.table(results), [_row(result) for result in results], not wrong)


def _row(result: Replayed) -> dict[str, Any]:
    return {
        "picture": result.path.name,
        "seen": [{"id": s.id, "score": round(s.score, 3)} for s in result.seen],
        "expected": None if result.expected is None else sorted(result.expected),
        "missed": sorted(result.missed),
        "false": sorted(result.false),
        "phrase_read": result.phrase_read,
        "seconds": round(result.seconds, 3),
        "text": result.text,
    }
