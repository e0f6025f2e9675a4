"""The catalogue of screens that winbuild knows: one TOML file each, in this folder.

A file is named after its id. Keys::

    id       name in steps and tests, such as "logon.password"
    title    the same in words: "the password field of the log-on screen"
    meaning  expected | waiting | error | needs-person
    layer    dialog | window | full (default)
    unless   ids; this screen is not seen while one of them is (default none)

    [[variant]]           at least one; one look in one language
    name, language        language: en | ja | any
    texts   all of        {say = [any one of], area = [left, top, right, bottom],
                           min = 0.85, alone = false, name = ""}
    pixels  all of        {check = "colour", area, rgb, tolerance, at_least, at_most}
                          {check = "taskbar", area}
                          {check = "console-in-front", title, prompt}

    [[point]]             optional: a place to click
    name, language, area  and either say, min, alone  or  icon, max_mse

Areas are parts of the screen from 0.0 to 1.0, and mandatory: the words of one screen turn
up somewhere on many others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from winbuild.errors import ConfigError, UsageError
from winbuild.screen.areas import Area
from winbuild.screen.definition import (
    ANY_LANGUAGE,
    ColourSpec,
    ConsoleInFrontSpec,
    Definition,
    Layer,
    Meaning,
    PixelSpec,
    PointSpec,
    TaskbarSpec,
    TextSpec,
    Variant,
)
from winbuild.screen.textmatch import DEFAULT_MIN, fold

OWN_FOLDER = Path(__file__).parent
LANGUAGES = ("en", "ja")

Part = TypeVar("Part", Variant, PointSpec)

_ICON_MAX_MSE = 0.09


class Catalogue:
    """The definitions by id."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._by_id = {definition.id: definition for definition in definitions}

    @classmethod
    def load(cls, *folders: Path, languages: Sequence[str] = LANGUAGES) -> Catalogue:
        """Read winbuild's own catalogue, then more folders, whose ids replace the same ids.

        `languages` leaves out the variants of others, which saves reading every screen with
        their models, and those of the first named are tried first. Raises ConfigError with
        every fault of every file.
        """
        definitions: dict[str, Definition] = {}
        faults: list[str] = []
        for folder in (OWN_FOLDER, *folders):
            for path in sorted(folder.glob("*.toml")):
                try:
                    definition = read_definition(path)
                except ConfigError as exc:
                    faults.extend(exc.faults)
                else:
                    definitions[definition.id] = definition
        faults.extend(_unknown_references(definitions))
        if faults:
            raise ConfigError(faults, hint="the keys are explained in winbuild.screen.catalogue")
        return cls(_only_languages(definitions.values(), (*languages, ANY_LANGUAGE)))

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, id_: str) -> Definition:
        """The definition; UsageError, naming those that there are, if it is unknown."""
        try:
            return self._by_id[id_]
        except KeyError as exc:
            known = ", ".join(sorted(self._by_id))
            raise UsageError(
                f"no screen in the catalogue is called {id_!r}", hint=f"there are: {known}"
            ) from exc

    def meaning(self, meaning: Meaning) -> tuple[str, ...]:
        return tuple(d.id for d in self if d.meaning == meaning)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that any variant is in, but for `any`."""
        used = {variant.language for definition in self for variant in definition.variants}
        return tuple(language for language in LANGUAGES if language in used)


def _only_languages(
    definitions: Iterable[Definition], languages: Sequence[str]
) -> Iterator[Definition]:
    def chosen(parts: Iterable[Part]) -> tuple[Part, ...]:
        kept = (part for part in parts if part.language in languages)
        return tuple(sorted(kept, key=lambda part: languages.index(part.language)))

    for definition in definitions:
        yield replace(
            definition, variants=chosen(definition.variants), points=chosen(definition.points)
        )


def _unknown_references(definitions: Mapping[str, Definition]) -> list[str]:
    return [
        f"{definition.id}: unless names {other!r}, which no file defines"
        for definition in definitions.values()
        for other in definition.unless
        if other not in definitions
    ]


def read_definition(path: Path) -> Definition:
    """Read and check one file. Raises ConfigError with every fault in it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError([f"{path}: {exc}"]) from exc
    form = _Form(str(path), table)
    definition = Definition(
        id=form.text("id"),
        title=form.text("title"),
        meaning=cast(Meaning, form.choice("meaning", get_args(Meaning))),
        layer=cast(Layer, form.choice("layer", get_args(Layer), "full")),
        unless=form.texts("unless", ()),
        variants=tuple(_variant(part) for part in form.parts("variant")),
        points=tuple(_point(part) for part in form.parts("point", needed=False)),
    )
    form.done()
    if definition.id != path.stem:
        form.fault("id", f"must be the file's name, {path.stem!r}, not {definition.id!r}")
    if form.faults:
        raise ConfigError(form.faults)
    return definition


def _variant(form: _Form) -> Variant:
    variant = Variant(
        name=form.text("name"),
        language=form.choice("language", (*LANGUAGES, ANY_LANGUAGE)),
        texts=tuple(_text(part) for part in form.parts("texts")),
        pixels=tuple(_pixel(part) for part in form.parts("pixels", needed=False)),
    )
    names = {text.name for text in variant.texts}
    for pixel in variant.pixels:
        if isinstance(pixel, ConsoleInFrontSpec) and not {pixel.title, pixel.prompt} <= names:
            form.fault("pixels", "console-in-front names a text that the variant does not have")
    form.done()
    return variant


def _text(form: _Form) -> TextSpec:
    text = TextSpec(
        say=form.phrases("say"),
        area=form.area("area"),
        minimum=form.number("min", DEFAULT_MIN),
        alone=form.flag("alone"),
        name=form.text("name", ""),
    )
    form.done()
    return text


def _pixel(form: _Form) -> PixelSpec:
    check = form.choice("check", ("colour", "taskbar", "console-in-front"))
    pixel: PixelSpec
    if check == "colour":
        pixel = ColourSpec(
            area=form.area("area"),
            rgb=form.rgb("rgb"),
            tolerance=round(form.number("tolerance", 16)),
            at_least=form.number("at_least", 0.0),
            at_most=form.number("at_most", 1.0),
        )
    elif check == "taskbar":
        pixel = TaskbarSpec(form.area("area"))
    else:
        pixel = ConsoleInFrontSpec(form.text("title"), form.text("prompt"))
    form.done()
    return pixel


def _point(form: _Form) -> PointSpec:
    by_icon = form.has("icon")
    point = PointSpec(
        name=form.text("name"),
        language=form.choice("language", (*LANGUAGES, ANY_LANGUAGE), ANY_LANGUAGE),
        area=form.area("area"),
        say=() if by_icon else form.phrases("say"),
        minimum=0.0 if by_icon else form.number("min", DEFAULT_MIN),
        alone=False if by_icon else form.flag("alone"),
        icon=form.text("icon", ""),
        max_mse=form.number("max_mse", _ICON_MAX_MSE) if by_icon else 0.0,
    )
    form.done()
    return point


class _Form:
    """A TOML table that notes every fault, and each key that nobody asked for."""

    def __init__(self, where: str, table: Any, faults: list[str] | None = None) -> None:
        self.where = where
        self.faults: list[str] = [] if faults is None else faults
        self._table: dict[str, Any] = table if isinstance(table, dict) else {}
        self._asked: set[str] = set()
        if not isinstance(table, dict):
            self.faults.append(f"{where}: must be a table, not {table!r}")

    def fault(self, key: str, what: str) -> None:
        self.faults.append(f"{self.where}: {key} {what}")

    def has(self, key: str) -> bool:
        return key in self._table

    def _get(self, key: str, default: Any) -> Any:
        self._asked.add(key)
        if key not in self._table and default is None:
            self.fault(key, "is missing")
        return self._table.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if isinstance(value, str) and (value or default == ""):
            return value
        if key in self._table:
            self.fault(key, f"must be a text, not {value!r}")
        return ""

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.text(key, default)
        if value and value not in choices:
            self.fault(key, f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self._get(key, default)
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        if key in self._table:
            self.fault(key, f"must be a list of texts, not {value!r}")
        return ()

    def phrases(self, key: str) -> tuple[str, ...]:
        phrases = self.texts(key)
        if key in self._table and not (phrases and all(fold(phrase) for phrase in phrases)):
            self.fault(
                key, "must hold phrases with letters or digits, for nothing else is compared"
            )
        return phrases

    def number(self, key: str, default: float) -> float:
        value = self._get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value)
        self.fault(key, f"must be a number of 0 or more, not {value!r}")
        return default

    def flag(self, key: str) -> bool:
        value = self._get(key, False)
        if not isinstance(value, bool):
            self.fault(key, f"must be true or false, not {value!r}")
        return value is True

    def area(self, key: str) -> Area:
        value = self._get(key, None)
        try:
            return Area(*value)
        except (TypeError, ValueError) as exc:
            if key in self._table:
                self.fault(key, f"= {value!r}: {exc}")
            return Area(0, 0, 1, 1)

    def rgb(self, key: str) -> tuple[int, int, int]:
        value = self._get(key, None)
        if isinstance(value, list) and len(value) == 3 and all(v in range(256) for v in value):
            return value[0], value[1], value[2]
        if key in self._table:
            self.fault(key, f"must be three numbers from 0 to 255, not {value!r}")
        return 0, 0, 0

    def parts(self, key: str, *, needed: bool = True) -> list[_Form]:
        value = self._get(key, None if needed else [])
        if not isinstance(value, list) or (needed and not value):
            if key in self._table:
                self.fault(key, "must be a list of tables" + (", not empty" if needed else ""))
            return []
        return [
            _Form(f"{self.where}: {key} {number}", item, self.faults)
            for number, item in enumerate(value, 1)
        ]

    def done(self) -> None:
        for key in sorted(self._table.keys() - self._asked):
            self.fault(key, "is not a key that winbuild knows here")
