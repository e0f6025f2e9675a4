from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.disk.image import (
    AllocatedPosition,
    Extent,
    allocated_bytes,
    create_blank_image,
    data_extents,
    require_space,
    size_text,
)
from winbuild.errors import DiskError, HostError

GIB = 1 << 30


def test_a_blank_image_is_large_and_takes_no_room(tmp_path: Path) -> None:
    image = tmp_path / "win-2012.raw"
    create_blank_image(image, 30 * GIB)
    assert image.stat().st_size == 30 * GIB
    assert image.stat().st_blocks == 0
    assert data_extents(image) == []


def test_a_blank_image_replaces_what_an_earlier_try_left(tmp_path: Path) -> None:
    image = tmp_path / "win.raw"
    image.write_bytes(b"old")
    create_blank_image(image, 4096)
    assert image.read_bytes() == bytes(4096)
    assert [each.name for each in tmp_path.iterdir()] == ["win.raw"]


@pytest.mark.parametrize("size", [0, -512, 1000])
def test_impossible_sizes_are_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(DiskError, match=f"{size} bytes"):
        create_blank_image(tmp_path / "win.raw", size)
    assert not list(tmp_path.iterdir())


def test_a_size_beyond_the_file_system_leaves_the_old_image(tmp_path: Path) -> None:
    image = tmp_path / "win.raw"
    image.write_bytes(b"old")
    with pytest.raises(DiskError, match="cannot hold"):
        create_blank_image(image, (1 << 63) - 512)
    assert image.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["win.raw"]


def test_extents_of_a_sparse_file(tmp_path: Path) -> None:
    image = tmp_path / "sparse"
    create_blank_image(image, 64 << 20)
    with image.open("r+b") as stream:
        for offset in (0, 10 << 20, (64 << 20) - 4096):
            stream.seek(offset)
            stream.write(b"x" * 4096)
        stream.flush()
        os.fsync(stream.fileno())
    extents = data_extents(image)
    assert [extent.start for extent in extents] == [0, 10 << 20, (64 << 20) - 4096]
    assert allocated_bytes(extents) == 3 * 4096


def test_space_is_asked_for_where_a_file_will_be(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet", 1)
    with pytest.raises(HostError, match="needed to pack the image") as caught:
        require_space(tmp_path / "not" / "yet", 1 << 60, purpose="pack the image")
    assert str(tmp_path) in caught.value.message
    assert "free " in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("size", "text"),
    [(30 * GIB, "30G"), (4096 << 20, "4G"), (4100 << 20, "4100M"), (513, "513"), (0, "0")],
)
def test_size_text(size: int, text: str) -> None:
    assert size_text(size) == text


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=10), st.integers(0, 999)
)
def test_allocated_position_counts_the_data_before_a_position(
    gaps: list[tuple[int, int]], position: int
) -> None:
    extents, at = [], 0
    for gap, length in gaps:
        extents.append(Extent(at + gap, length))
        at += gap + length
    data = {byte for each in extents for byte in range(each.start, each.end)}
    allocated = AllocatedPosition(extents)
    assert allocated.before(position) == sum(byte < position for byte in data)
    assert allocated.total == len(data)
