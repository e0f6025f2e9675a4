"""The catalogue of Windows versions and languages."""

from __future__ import annotations

import pytest

from winbuild.errors import UsageError
from winbuild.media.iso import check_product_key
from winbuild.windows.languages import language, languages
from winbuild.windows.versions import labels, version


def test_the_original_labels_mean_the_r2_versions() -> None:
    assert version("2008").name == "Windows Server 2008 R2"
    assert version("2012").name == "Windows Server 2012 R2"
    assert version("2012").product_id == "windows2012r2"
    assert (version("2008").port_digit, version("2012").port_digit) == (8, 9)
    assert version("2008").default_image_name == "Windows Server 2008 R2 SERVERSTANDARD"


def test_an_unknown_label_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        version("2013")
    assert "'2013'" in caught.value.message
    assert caught.value.hint is not None
    assert all(label in caught.value.hint for label in labels())


@pytest.mark.parametrize("label", labels())
def test_a_row_of_the_catalogue_is_sound(label: str) -> None:
    row = version(label)
    assert row.default_edition in row.editions
    assert row.default_architecture in ("amd64", "x86", "arm64")
    assert set(row.firmware) <= {"bios", "uefi"} and row.firmware
    assert row.era in ("7", "8", "10")
    for edition in row.editions:
        key = row.kms_key(edition)
        assert key is None or check_product_key(key) == key
    for folder in row.driver_folders(row.default_architecture):
        assert "/" not in folder and ":" not in folder and not folder.startswith("\\")


def test_labels_differ_in_what_must_not_clash() -> None:
    rows = [version(label) for label in labels()]
    assert len({row.product_id for row in rows}) == len(rows)
    assert len({row.port_digit for row in rows}) == len(rows)


def test_editions_are_known_in_any_case() -> None:
    assert version("2012").image_name("ServerDatacenter").endswith("R2 SERVERDATACENTER")
    assert version("2012").kms_key("SERVERHYPERCORE") is None
    with pytest.raises(UsageError, match="has no edition 'PRO'"):
        version("2012").image_name("PRO")


def test_the_current_driver_folders_come_before_the_legacy_ones() -> None:
    assert version("2012").driver_folders("amd64") == (
        r"viostor\2k12R2\amd64",
        r"NetKVM\2k12R2\amd64",
        r"WIN8\AMD64",
    )


def test_japanese_has_its_keyboard_and_the_english_fallback() -> None:
    japanese = language("JA-jp")
    assert japanese.tag == "ja-JP"
    assert (japanese.keyboard, japanese.layered_driver) == ("jp106", 6)
    assert japanese.ui_fallback == "en-US"
    assert "ja-JP" in languages() and "en-US" in languages()


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        language("tlh")
    assert caught.value.hint is not None and "ja-JP" in caught.value.hint
