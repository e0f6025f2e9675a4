"""The catalogue's files: complete, and faults in them are all named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from winbuild.errors import ConfigError, UsageError
from winbuild.screen.catalogue import LANGUAGES, Catalogue, read_definition

# The screens that the steps of the walk name.
NEEDED = (
    "boot.press-any-key", "setup.language", "setup.installing", "setup.restarting",
    "setup.getting-ready", "setup.error", "logon.ctrl-alt-delete", "logon.password",
    "logon.wrong-password", "logon.welcome", "desktop.ready", "desktop.powershell",
    "zabbix.welcome", "zabbix.license", "zabbix.components", "zabbix.configuration",
    "zabbix.folder", "zabbix.finished", "sysprep.working", "sysprep.error",
    "shutdown.in-progress", "crash.blue-screen", "firmware.no-boot",
)  # fmt: skip

GOOD = """
id = "a.b"
title = "a screen"
meaning = "expected"
[[variant]]
name = "only"
language = "en"
texts = [{ say = ["Hello"], area = [0.1, 0.2, 0.3, 0.4] }]
"""


def write(folder: Path, text: str, name: str = "a.b") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", NEEDED)
def test_every_screen_of_the_walk_is_there_in_every_language(name: str) -> None:
    definition = Catalogue.load().get(name)
    languages = {variant.language for variant in definition.variants}
    assert "any" in languages or languages >= set(LANGUAGES)


def test_titles_fit_into_a_sentence() -> None:
    for definition in Catalogue.load():
        assert definition.title[0].islower() or definition.title.startswith(("Windows", "Sysprep"))
        assert not definition.title.endswith(".")


def test_a_language_left_out_is_not_read() -> None:
    catalogue = Catalogue.load(languages=["en"])
    assert catalogue.languages == ("en",)
    assert {v.language for d in catalogue for v in d.variants} == {"en", "any"}


def test_an_own_folder_adds_screens_and_replaces_them(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("a.b", "desktop.ready"), "desktop.ready")
    catalogue = Catalogue.load(tmp_path)
    assert catalogue.get("a.b").variants[0].texts[0].minimum == 0.85
    assert catalogue.get("desktop.ready").title == "a screen"
    assert catalogue.get("logon.password").title.startswith("the password field")


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"'logon\.pasword'") as caught:
        Catalogue.load().get("logon.pasword")
    assert "logon.password" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('id = "a.b"\n', "", "id is missing"),
        ('id = "a.b"', 'id = "c"', "must be the file's name"),
        ('title = "a screen"', "title = 5", "title must be a text"),
        ('meaning = "expected"', 'meaning = "good"', "meaning must be one of expected, waiting"),
        ("[0.1, 0.2, 0.3, 0.4]", "[0.3, 0.2, 0.1, 0.4]", "is not an area"),
        ("[0.1, 0.2, 0.3, 0.4]", "[10, 20, 30, 40]", "is not an area"),
        (", area = [0.1, 0.2, 0.3, 0.4]", "", "area is missing"),
        ('["Hello"]', '[">_"]', "phrases with letters or digits"),
        ('["Hello"]', '"Hello"', "list of texts"),
        ('["Hello"]', "[]", "phrases with letters"),
        ('language = "en"', 'language = "fr"', "language must be one of en, ja, any"),
        ("texts = ", "text = ", "texts is missing"),
        ('name = "only"', 'name = "only"\ncolor = 1', "color is not a key"),
        ('title = "a screen"', 'title = "a screen"\nunless = ["no.such"]', "'no.such', which no"),
        (
            "0.4] }]",
            '0.4] }]\npixels = [{ check = "colour", area = [0, 0, 1, 1], rgb = [0, 0, 300] }]',
            "three numbers",
        ),
        (
            "0.4] }]",
            '0.4] }]\npixels = [{ check = "console-in-front", title = "t", prompt = "p" }]',
            "names a text that the variant does not have",
        ),
        ("meaning", "mea ning", "a.b.toml"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in GOOD
    write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        Catalogue.load(tmp_path)
    assert fault in str(caught.value)
    assert "a.b" in str(caught.value)


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("expected", "x").replace('language = "en"', 'language = "y"'))
    write(tmp_path, GOOD.replace("a screen", ""), "c.d")
    with pytest.raises(ConfigError) as caught:
        Catalogue.load(tmp_path)
    # Two in the first file; an empty title and the wrong file name in the second.
    assert len(caught.value.faults) == 4


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"x\.toml"):
        read_definition(path)


def test_the_catalogue_and_keyboards_load_without_the_heavy_packages() -> None:
    code = (
        "import sys, winbuild.screen.catalogue, winbuild.screen.keyboard, winbuild.screen.pointer;"
        "assert not {'numpy', 'PIL', 'tesserocr'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
