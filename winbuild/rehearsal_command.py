"""`winbuild rehearsal`: checks what was asked for and has the media made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from winbuild.errors import UsageError
from winbuild.host import Host
from winbuild.ui import Ui
from winbuild.windows.languages import language as find_language
from winbuild.windows.versions import version

if TYPE_CHECKING:
    from winbuild.rehearsal.build import RehearsalMedia


def make(
    directory: Path, *, label: str, language: str, switches: Sequence[str], ui: Ui
) -> RehearsalMedia:
    """Make the media in `directory`. `switches` are NAME=VALUE (or NAME alone)."""
    from winbuild.rehearsal.build import make_rehearsal_media

    chosen: dict[str, str] = {}
    for text in switches:
        name, _, value = text.partition("=")
        if not name:
            raise UsageError(f"--switch {text!r}: NAME=VALUE is needed")
        chosen[name] = value or "1"
    directory.mkdir(parents=True, exist_ok=True)
    return make_rehearsal_media(
        directory,
        Host(),
        ui,
        label=version(label).label,
        language=find_language(language).tag,
        switches=chosen,
    )
