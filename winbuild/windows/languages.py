"""The languages of Windows that winbuild can install: rows of languages.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from winbuild.errors import UsageError

_TABLE = Path(__file__).with_name("languages.toml")


@dataclass(frozen=True)
class Language:
    """A display language and what goes with it. languages.toml explains the fields."""

    tag: str
    name: str
    ui_fallback: str
    keyboard: str
    layered_driver: int
    time_zone: str


@cache
def _languages() -> Mapping[str, Language]:
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {tag: Language(tag=tag, **row) for tag, row in table.items()}


def languages() -> tuple[str, ...]:
    """The tags of all languages, such as `ja-JP`, in the order of the catalogue."""
    return tuple(_languages())


def language(tag: str) -> Language:
    """The language of that tag, in any case; UsageError, listing the known ones, otherwise."""
    for known in _languages().values():
        if known.tag.lower() == tag.lower():
            return known
    raise UsageError(
        f"there is no language {tag!r} in winbuild",
        hint=f"the languages are {', '.join(languages())}",
    )
