"""Looking at a build: where it stands, as text or JSON.

Shell prompts and scripts look over and over, so the plain form (`winbuild some/dir`, with or
without --json) does not wait for the command line's library to be loaded, which takes longer than
the look itself. Every other form comes here through the command line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from winbuild.session import Options, Session


def plain_look(arguments: Sequence[str]) -> tuple[Path, bool] | None:
    """(directory, whether JSON is wanted) if the arguments are the plain form; else None.

    The slash tells a directory from a command: no command has one.
    """
    directory, *rest = arguments or ("",)
    if "/" not in directory or directory.startswith("-") or rest not in ([], ["--json"]):
        return None
    return Path(directory), bool(rest)


def show(path: Path, *, as_json: bool, options: Options | None = None) -> None:
    """Print where the build in `path` stands."""
    from winbuild import render
    from winbuild.status import build_status

    session = Session(path, options or Options())
    found = build_status(session.builddir, session.plan, session.walk())
    if as_json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        render.print_status(found)
