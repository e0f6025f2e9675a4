"""Measures how fast screens are recognised, over a folder of pictures.

    python benchmarks/screen.py FOLDER [--languages en,ja] [--wait-for ID]

Prints median and maximum, in milliseconds, of: looking for one screen and for all of the
catalogue on a picture never seen before; looking again when nothing has changed; and what
one poll of an idle screen costs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from winbuild.screen import match
from winbuild.screen.catalogue import LANGUAGES, Catalogue
from winbuild.screen.frame import Frame
from winbuild.screen.ocr import Page, Reader


def _milliseconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def _ppm(frame: Frame) -> bytes:
    return b"P6\n%d %d\n255\n" % frame.size + frame.pixels.tobytes()


def _row(name: str, values: list[float]) -> str:
    return f"{name:<34} median {statistics.median(values):7.1f}   max {max(values):7.1f}"


def measure(folder: Path, catalogue: Catalogue, wanted: str) -> dict[str, list[float]]:
    pictures = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".ppm"))
    if not pictures:
        raise SystemExit(f"{folder} holds no picture")
    rows: dict[str, list[float]] = {}
    for path in pictures:
        for name, milliseconds in _picture(Frame.from_file(path), catalogue, wanted).items():
            rows.setdefault(name, []).append(milliseconds)
    return rows


def _picture(frame: Frame, catalogue: Catalogue, wanted: str) -> dict[str, float]:
    reader, other_reader = Reader(), Reader()
    for each in (reader, other_reader):
        each.warm(catalogue.languages)

    def look(with_reader: Reader, names: list[str] | None) -> None:
        match.sightings(Page(frame, with_reader), catalogue, names)

    ppm = b"P6\n%d %d\n255\n" % frame.size + frame.pixels.tobytes()
    found = {
        f"{wanted}, new picture": _milliseconds(lambda: look(other_reader, [wanted])),
        "whole catalogue, new picture": _milliseconds(lambda: look(reader, None)),
        "whole catalogue, blocks known": _milliseconds(lambda: look(reader, None)),
        "one poll, nothing changed": _milliseconds(lambda: Frame.from_ppm(ppm).same_picture(frame)),
    }
    for each in (reader, other_reader):
        each.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="pictures, also in folders below it")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--wait-for", default="logon.ctrl-alt-delete", metavar="ID")
    options = parser.parse_args()
    catalogue = Catalogue.load(languages=options.languages.split(","))
    rows = measure(options.folder, catalogue, catalogue.get(options.wait_for).id)
    count = len(next(iter(rows.values())))
    print(f"{count} pictures, languages {options.languages}, milliseconds")
    for name, values in rows.items():
        print(_row(name, values))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
