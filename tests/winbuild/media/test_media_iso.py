"""First checks of ISO files and product keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.errors import MediaError, UsageError
from winbuild.media.iso import check_iso, check_product_key

KEY = "BCDFG-HJKMN-PQRTV-WXY23-46789"


def descriptor(kind: int, volume_id: str = "", blocks: int = 0) -> bytes:
    """A volume descriptor with the fields that matter here (ECMA-119, 8.4)."""
    sector = bytearray(2048)
    sector[0] = kind
    sector[1:7] = b"CD001\x01"
    sector[40:72] = volume_id.encode().ljust(32)
    sector[80:84] = blocks.to_bytes(4, "little")
    sector[128:130] = (2048).to_bytes(2, "little")
    return bytes(sector)


def small_iso(blocks: int = 18) -> bytes:
    """An ISO of which the primary descriptor is the second one, as on bootable media."""
    return bytes(16 * 2048) + descriptor(0) + descriptor(1, "IR3_SSS_X64FREE_EN-US_DV9", blocks)


def test_a_whole_iso_tells_its_volume_id(tmp_path: Path) -> None:
    iso = tmp_path / "windows.iso"
    iso.write_bytes(small_iso())
    info = check_iso(iso)
    assert info.volume_id == "IR3_SSS_X64FREE_EN-US_DV9"
    assert (info.path, info.size_bytes) == (iso, 18 * 2048)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is no file"):
        check_iso(tmp_path / "none.iso")
    with pytest.raises(MediaError, match="is not a file"):
        check_iso(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html><html>", "it is a web page"),
        (b"<HTML>", "it is a web page"),
        (b"\x1f\x8b\x08", "it is a gzip archive"),
        (b"PK\x03\x04", "it is a zip archive"),
        (b"QFI\xfb", "it is a qcow2 disk image"),
        (b"MSWIM\0\0\0", "it is a WIM image"),
        (b"MZ" + bytes(40000), "it is a Windows program"),
        (b"x" * 40000, "no primary volume descriptor"),
        (bytes(16 * 2048) + descriptor(255), "no primary volume descriptor"),
        (small_iso()[:-1], "no primary volume descriptor"),
    ],
)
def test_what_is_no_iso_is_called_by_its_name(tmp_path: Path, content: bytes, message: str) -> None:
    iso = tmp_path / "windows.iso"
    iso.write_bytes(content)
    with pytest.raises(MediaError, match=message) as caught:
        check_iso(iso)
    assert caught.value.hint


def test_half_a_download_is_noticed(tmp_path: Path) -> None:
    iso = tmp_path / "windows.iso"
    iso.write_bytes(small_iso(blocks=2_000_000))
    with pytest.raises(MediaError, match="holds 36864 of 4096000000 bytes"):
        check_iso(iso)


def test_padding_that_a_copied_disc_lacks_is_no_fault(tmp_path: Path) -> None:
    iso = tmp_path / "windows.iso"
    iso.write_bytes(small_iso(blocks=18 + 150))
    assert check_iso(iso).size_bytes == 18 * 2048


@given(st.binary(max_size=300))
def test_no_rubbish_passes_for_an_iso(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    iso = tmp_path_factory.mktemp("junk") / "windows.iso"
    iso.write_bytes(junk)
    with pytest.raises(MediaError):
        check_iso(iso)


def test_a_product_key_is_taken_in_any_case_and_none_means_none() -> None:
    assert check_product_key(f" {KEY.lower()}\n") == KEY
    assert check_product_key("none") is None
    assert check_product_key("None") is None


MALFORMED = [
    "",
    "no",
    KEY[:-1],
    KEY + "9",
    KEY.replace("-", ""),
    KEY.replace("-", "_"),
    KEY + "-BCDFG",
    KEY.replace("B", "A"),
    KEY.replace("9", "0"),
    KEY.replace("B", "É"),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="no product key") as caught:
        check_product_key(text)
    assert caught.value.hint is not None and "XXXXX-XXXXX" in caught.value.hint
    for part in text.split("-"):
        assert len(part) < 5 or part not in caught.value.message


def test_the_faulty_group_of_a_key_is_counted() -> None:
    with pytest.raises(UsageError, match="its group 4 has"):
        check_product_key(KEY.replace("WXY23", "WXY2O"))
