"""Whether files fit on the floppy, told before it is made. mtools: tests/real/test_floppy.py."""

from __future__ import annotations

import pytest

from winbuild.errors import MediaError
from winbuild.media.floppy import check_fits

CAPACITY = 2847 * 512


def test_exactly_full_fits_and_one_byte_more_does_not() -> None:
    check_fits({"A.BIN": bytes(CAPACITY)})
    with pytest.raises(MediaError, match="512 bytes too many"):
        check_fits({"A.BIN": bytes(CAPACITY + 1)})


def test_small_files_take_a_whole_sector_each() -> None:
    check_fits({"A.BIN": bytes(CAPACITY - 512), "B.BIN": b"x"})
    with pytest.raises(MediaError, match="too many"):
        check_fits({"A.BIN": bytes(CAPACITY - 512), "B.BIN": b"x", "C.BIN": b"x"})


def test_the_message_names_the_biggest_file() -> None:
    with pytest.raises(MediaError) as caught:
        check_fits({"small.txt": b"x", "zabbix_agent.exe": bytes(1_500_000)})
    assert caught.value.hint is not None
    assert "zabbix_agent.exe with 1500000 bytes" in caught.value.hint


def test_the_root_directory_can_be_full_before_the_floppy_is() -> None:
    check_fits({f"F{n}": b"" for n in range(223)})
    with pytest.raises(MediaError, match="need 225"):
        check_fits({f"F{n}": b"" for n in range(224)})


def test_long_names_take_more_of_the_root_directory() -> None:
    # 27 characters: three entries of 13 and one for the short name.
    names = [f"a rather long name {n:04}.txt" for n in range(56)]
    assert {len(name) for name in names} == {27}
    check_fits(dict.fromkeys(names[:55], b""))
    with pytest.raises(MediaError, match="need 225"):
        check_fits(dict.fromkeys(names, b""))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "A:x", "a*", "a\n", "x ", "x.", " x", "n" * 256]
)
def test_a_name_that_windows_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(MediaError, match="the file name"):
        check_fits({name: b""})


def test_names_that_differ_only_in_case_clash() -> None:
    with pytest.raises(MediaError, match=r"Run\.cmd and RUN\.CMD"):
        check_fits({"Run.cmd": b"", "RUN.CMD": b""})
