"""Driver folders on virtio ISOs of both layouts, made with pycdlib."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pycdlib
import pytest

from winbuild.errors import MediaError
from winbuild.media.virtio_drivers import find_drivers
from winbuild.windows.versions import version

CURRENT = [
    "viostor/2k12R2/amd64/viostor.inf",
    "viostor/2k12R2/amd64/viostor.sys",
    "NetKVM/2k12R2/amd64/netkvm.inf",
    "viostor/w10/amd64/viostor.inf",
]
LEGACY = ["WIN8/AMD64/VIOSTOR.INF", "WIN8/AMD64/NETKVM.INF", "WLH/AMD64/VIOSTOR.INF"]


def make_iso(dest: Path, files: Iterable[str], name_space: str) -> Path:
    image: Any = pycdlib.PyCdlib()
    options: dict[str, dict[str, Any]] = {
        "joliet": {"joliet": 3},
        "rock-ridge": {"rock_ridge": "1.09"},
        "udf": {"udf": "2.60"},
        "plain": {},
    }
    image.new(vol_ident="virtio-0.1.285", interchange_level=3, **options[name_space])
    made: set[str] = set()

    def names(path: str, *, folder: bool) -> dict[str, str]:
        short = path.upper().replace("-", "_")
        result = {"iso_path": f"/{short}" if folder else f"/{short};1"}
        if name_space == "joliet":
            result["joliet_path"] = f"/{path}"
        if name_space == "rock-ridge":
            result["rr_name"] = path.rsplit("/", 1)[-1]
        if name_space == "udf":
            result["udf_path"] = f"/{path}"
        return result

    for file in files:
        parts = file.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder.upper() not in made:
                made.add(folder.upper())
                image.add_directory(**names(folder, folder=True))
        image.add_fp(io.BytesIO(b"x"), 1, **names(file, folder=False))
    image.write(str(dest))
    image.close()
    return dest


@pytest.mark.parametrize("name_space", ["joliet", "rock-ridge", "udf", "plain"])
def test_the_current_layout_is_found_in_every_name_space(tmp_path: Path, name_space: str) -> None:
    iso = make_iso(tmp_path / "v.iso", CURRENT, name_space)
    found = find_drivers(iso, version("2012"), "amd64")
    assert found.folders == (r"viostor\2k12R2\amd64", r"NetKVM\2k12R2\amd64")
    assert (found.layout, found.volume_id) == ("current", "virtio-0.1.285")


def test_the_legacy_layout_serves_where_the_current_one_is_missing(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "v.iso", LEGACY, "plain")
    assert find_drivers(iso, version("2012"), "amd64").folders == (r"WIN8\AMD64",)
    found = find_drivers(iso, version("2008"), "amd64")
    assert (found.folders, found.layout) == ((r"WLH\AMD64",), "legacy")


def test_the_current_layout_is_preferred(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "v.iso", CURRENT + LEGACY, "joliet")
    assert find_drivers(iso, version("2012"), "amd64").layout == "current"


def test_a_network_driver_that_is_missing_is_not_named(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "v.iso", CURRENT[:2], "joliet")
    assert find_drivers(iso, version("2012"), "amd64").folders == (r"viostor\2k12R2\amd64",)


def test_a_folder_without_the_inf_does_not_count(tmp_path: Path) -> None:
    files = [CURRENT[1], CURRENT[2], "WIN8/AMD64/NETKVM.INF"]
    with pytest.raises(MediaError, match="no storage driver for Windows Server 2012 R2"):
        find_drivers(make_iso(tmp_path / "v.iso", files, "joliet"), version("2012"), "amd64")


def test_the_error_lists_what_there_is(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "v.iso", CURRENT, "joliet")
    with pytest.raises(MediaError) as caught:
        find_drivers(iso, version("2008"), "amd64")
    assert r"viostor\2k8R2\amd64" in caught.value.message
    assert caught.value.hint is not None
    assert r"viostor\2k12r2\amd64, viostor\w10\amd64" in caught.value.hint


def test_another_iso_is_recognised_as_such(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "v.iso", ["sources/install.wim"], "joliet")
    with pytest.raises(MediaError) as caught:
        find_drivers(iso, version("2012"), "amd64")
    assert caught.value.hint is not None and "no virtio-win ISO" in caught.value.hint


def test_a_damaged_iso_is_an_error_not_a_crash(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "v.iso", CURRENT, "joliet")
    content = iso.read_bytes()
    iso.write_bytes(content[: 17 * 2048] + b"\xff" * (len(content) - 17 * 2048))
    with pytest.raises(MediaError, match="cannot be read as an ISO"):
        find_drivers(iso, version("2012"), "amd64")


@pytest.mark.parametrize("name_space", ["joliet", "rock-ridge", "udf", "plain"])
def test_whatever_byte_is_wrong_there_is_an_answer_or_an_error(
    tmp_path: Path, name_space: str
) -> None:
    whole = make_iso(tmp_path / "v.iso", CURRENT, name_space).read_bytes()
    chance = random.Random(1)
    refused = 0
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 30, 300))):
            damaged[chance.randrange(16 * 2048, len(whole))] = chance.randrange(256)
        (tmp_path / "v.iso").write_bytes(damaged)
        try:
            find_drivers(tmp_path / "v.iso", version("2012"), "amd64")
        except MediaError:
            refused += 1
    assert 0 < refused < 25
