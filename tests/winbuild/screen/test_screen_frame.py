"""Frames from QEMU's PPM and from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screen_world import plain_frame, ppm

from winbuild.errors import UsageError, VmError
from winbuild.screen.frame import Frame


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_ppm_comes_back_as_it_was(width: int, height: int, chance: object) -> None:
    pixels = np.random.default_rng(width * 10 + height).integers(
        0, 256, (height, width, 3), np.uint8
    )
    frame = Frame.from_ppm(ppm(Frame(pixels)))
    assert frame.size == (width, height)
    assert np.array_equal(frame.pixels, pixels)


def test_comments_in_the_header_are_skipped() -> None:
    frame = Frame.from_ppm(b"P6 # made by hand\n#\n2 1 # two by one\n255\n" + bytes(range(6)))
    assert frame.pixels.tolist() == [[[0, 1, 2], [3, 4, 5]]]


@given(st.binary(max_size=60))
def test_garbage_is_a_vm_error(content: bytes) -> None:
    with pytest.raises(VmError, match="not a complete PPM"):
        Frame.from_ppm(b"P5" + content)


@given(st.integers(0, 70))
def test_a_ppm_cut_short_anywhere_is_a_vm_error(length: int) -> None:
    whole = ppm(plain_frame(size=(5, 4)))
    with pytest.raises(VmError):
        Frame.from_ppm(whole[: min(length, len(whole) - 1)])


def test_a_saved_png_is_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "a 写真, 'x'.png"
    frame = plain_frame((1, 2, 3))
    frame.save_png(path)
    again = Frame.from_file(path)
    assert again.same_picture(frame)
    assert not again.same_picture(plain_frame((1, 2, 4)))
    assert not again.same_picture(None)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.png is not a picture"):
        Frame.from_file(path)
