from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from winbuild.errors import UsageError
from winbuild.targets.wakame import (
    WakameImage,
    artefacts,
    build_number,
    install_script,
    parse_timestamp,
)

BEGUN = datetime(2015, 3, 12, 9, 30)
IMAGE = WakameImage(
    name="windows2008r2",
    archive_name="windows2008r2.x86_64.kvm.md.raw.tar.gz",
    raw_bytes=32212254720,
    archive_bytes=3050428633,
    archive_md5="17c696598a69760ac1110f1418b1bbea",
)


def test_the_names_for_2008() -> None:
    assert artefacts("2008", BEGUN, image_name="win-2008.raw").kept == (
        "win-2008.raw.md5",
        "windows2008r2.x86_64.kvm.md.raw",
        "windows2008r2.x86_64.kvm.md.raw.tar.gz",
        "windows2008r2.x86_64.kvm.md.raw.tar.gz.md5",
        "windows2008r2.x86_64.kvm.md.raw.tar.gz.install.sh",
        "windows2008r2.x86_64.15071.qcow2.md5",
        "windows2008r2.x86_64.15071.qcow2.gz",
        "windows2008r2.x86_64.15071.qcow2.gz.md5",
    )


def test_the_names_for_2012() -> None:
    names = artefacts("2012", datetime(2024, 12, 31), image_name="win-2012.raw")
    assert names.raw == "windows2012r2.x86_64.kvm.md.raw"
    assert names.qcow2 == "windows2012r2.x86_64.24366.qcow2"


@pytest.mark.parametrize("label", ["2003", "", "windows2008r2"])
def test_an_unknown_label_names_the_known_ones(label: str) -> None:
    with pytest.raises(UsageError, match="label") as caught:
        artefacts(label, BEGUN, image_name="win.raw")
    assert "2008, 2012" in (caught.value.hint or "")


def test_the_build_number_is_that_of_the_builds_beginning() -> None:
    assert build_number(parse_timestamp("150312-093000\n")) == "15071"
    with pytest.raises(ValueError, match="does not match"):
        parse_timestamp("yesterday")


def test_the_install_script(golden: Callable[[str, str], None]) -> None:
    golden("wakame-install-2008.sh", install_script(IMAGE))


def test_a_checksum_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no MD5 sum"):
        install_script(WakameImage("n", "a", 1, 1, "17c6; rm -rf /"))
