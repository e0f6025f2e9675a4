"""What the guest's screens say, in its language and generation: `texts.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

FALLBACK_LANGUAGE = "en-US"


class Texts:
    """The texts of one language. `texts("key", name=value)` fills the blanks in braces."""

    def __init__(self, language: str, era: str) -> None:
        with Path(__file__).with_name("texts.toml").open("rb") as stream:
            tables = tomllib.load(stream)
        self.language = language if language in tables else FALLBACK_LANGUAGE
        self.era = era
        self._tables = [tables[self.language], tables[FALLBACK_LANGUAGE]]

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`. Raises KeyError for a key that no language has."""
        for table in self._tables:
            found = table.get(key)
            if isinstance(found, dict):  # generations that say it differently
                found = found.get(self.era)
            if isinstance(found, str):
                return found.format(**values) if values else found
        raise KeyError(key)
