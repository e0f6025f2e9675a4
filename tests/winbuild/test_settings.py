from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.errors import ConfigError
from winbuild.ini_file import ini_text
from winbuild.setting_kinds import parse_size
from winbuild.settings import load_settings, schema

PROJECT = Path(__file__).parents[2]


def test_defaults_are_those_of_the_original_tool() -> None:
    settings = load_settings(environ={}).settings
    assert settings.image_size_bytes == 30 << 30
    assert settings.install_mac == "52-54-00-11-a0-5b"
    assert settings.install_date == "2014-04-01"
    assert (settings.ipv4, settings.netmask, settings.gateway) == (
        "10.0.2.15",
        "255.255.255.0",
        "10.0.2.2",
    )
    assert not settings.nat_net and not settings.first_boot
    assert settings.isos == {"2008": "", "2012": ""}


def test_precedence(tmp_path: Path) -> None:
    ini = tmp_path / "settings.ini"
    ini.write_text("[install]\nIMAGESIZE = 10G\nLANGUAGE = ja-JP\nEDITION = from file\n")
    loaded = load_settings(
        ini=ini,
        environ={"IMAGESIZE": "20G", "LANGUAGE": "en-US"},
        command_line={"IMAGESIZE": "40G"},
    )
    assert loaded.settings.image_size_bytes == 40 << 30
    assert loaded.settings.language == "en-US"
    assert loaded.settings.edition == "from file"
    assert loaded.origins["LANGUAGE"] == "environment variable LANGUAGE"
    assert loaded.origins["EDITION"] == f"{ini}, [install] EDITION"


def test_frozen_settings_go_before_everything_but_only_where_the_schema_says_so() -> None:
    loaded = load_settings(
        environ={"IMAGESIZE": "20G", "MEMORY": "4000"},
        command_line={"EDITION": "same"},
        frozen={"IMAGESIZE": "30G", "MEMORY": "1000", "EDITION": "same"},
    )
    assert loaded.settings.image_size_bytes == 30 << 30
    assert loaded.settings.memory_mib == 4000


def test_a_fixed_setting_on_the_command_line_is_refused_and_not_passed_over() -> None:
    with pytest.raises(ConfigError, match=r"IMAGESIZE: is fixed .* --force --set IMAGESIZE="):
        load_settings(environ={}, command_line={"IMAGESIZE": "25G"}, frozen={"IMAGESIZE": "30G"})


@pytest.mark.parametrize("text", ["en_US:en", "en", "ja", ""])
def test_the_language_variable_of_gettext_is_not_taken_for_ours(text: str) -> None:
    assert load_settings(environ={"LANGUAGE": text}).settings.language == "en-US"
    assert load_settings(environ={"LANGUAGE": "ja-JP"}).settings.language == "ja-JP"


@pytest.mark.parametrize("text", ["20140401", "2014-04-01T00:00:00+09:00", "2014-W14-2", "soon"])
def test_dates_that_qemu_would_not_take(text: str) -> None:
    with pytest.raises(ConfigError, match="a date such as 2014-04-01"):
        load_settings(environ={"INSTALLDATE": text})
    assert load_settings(environ={"INSTALLDATE": "2014-04-01T12:30:00"})


def test_every_fault_is_reported_at_once_with_place_key_and_remedy(tmp_path: Path) -> None:
    ini = tmp_path / "windows-image-build.ini"
    ini.write_text("[install]\nIMAGESIZ = 30G\n[vm]\nIMAGESIZE = 30G\nCPUS = many\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(
            ini=ini, environ={"INSTALLMAC": "nonsense", "IPV4": "1.2.3"}, command_line={"NO": "1"}
        )
    faults = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 6
    assert f"{ini}, [install] IMAGESIZ: there is no such setting; did you mean IMAGESIZE?" in faults
    assert f"{ini}, [vm] IMAGESIZE: belongs in section [install]" in faults
    assert f"{ini}, [vm] CPUS: 'many' is not right: a whole number from 1 to 64" in faults
    assert "environment variable INSTALLMAC: 'nonsense' is not right: a MAC address" in faults
    assert "environment variable IPV4" in faults
    assert caught.value.exit_code == 2


def test_a_malformed_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={"KEY2012": "SECRET-SECRET"})
    assert "KEY2012" in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no section = 1\n", "is not an INI file"),
        (b"[install]\nLANGUAGE = \xff\xfe\n", "is not UTF-8"),
        (b"[install]\nIMAGESIZE = 1G\nIMAGESIZE = 2G\n", "is not an INI file"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, says: str) -> None:
    ini = tmp_path / "x.ini"
    ini.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        load_settings(ini=ini, environ={})


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(ini=tmp_path / "nothing.ini", environ={})


def test_the_shipped_ini_is_the_generated_one() -> None:
    shipped = (PROJECT / "windows-image-build.ini").read_text()
    assert shipped == ini_text(), "run `make ini`"


def test_every_option_is_in_the_ini_commented_and_uncommenting_changes_nothing() -> None:
    text = ini_text()
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    active = "\n".join(
        line[1:] if line.startswith("#") and line[1:].split(" =")[0] in schema() else line
        for line in text.splitlines()
    )
    parser.read_string(active)
    found = {key: value for section in parser.sections() for key, value in parser.items(section)}
    assert found == {key: row.default for key, row in schema().items()}
    inactive = configparser.ConfigParser()
    inactive.read_string(text)
    assert all(not inactive.items(section) for section in inactive.sections())


@given(st.integers(min_value=2, max_value=1 << 20), st.sampled_from("MGTmgt"))
def test_sizes_are_powers_of_1024(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * 1024 ** " KMGT".index(unit.upper())


@given(st.text(max_size=12))
def test_a_size_is_read_or_refused_but_never_something_else(text: str) -> None:
    try:
        size = parse_size(text)
    except ValueError:
        return
    assert size >= 1 << 20 and size % 512 == 0
