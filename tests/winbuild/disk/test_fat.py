from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winbuild.disk.fat import FatPathMissing, FatVolume
from winbuild.disk.fat_format import make_fat32
from winbuild.disk.partitions import Partition
from winbuild.errors import DiskError, MediaError

SIZE = 256 * 1024
WHEN = datetime(2015, 3, 12, 10, 20, 30)


def volume(
    folder: Path, files: dict[str, bytes], *, folders: tuple[str, ...] = (), size: int = SIZE
) -> FatVolume:
    """The files on a FAT32 volume in the middle of an image."""
    content = make_fat32(
        size, "METADATA", files, folders=folders, hidden_sectors=1, serial=0x1234ABCD, when=WHEN
    )
    assert len(content) == size
    image = folder / "an image, with 'quotes'.img"
    image.write_bytes(b"\xcc" * 512 + content + b"\xcc" * 512)
    return FatVolume(image, Partition(1, 512, size, "0c", active=False))


def test_files_folders_and_label_are_found(tmp_path: Path) -> None:
    files = {
        "meta-data/local-hostname": b"DEMO1-VM\n",
        "meta-data/network/interfaces/macs/52-54-00-11-a0-5b/x-dns": b"10.0.2.3",
        "meta-data/first-boot": b"",
        "UPPER.TXT": b"x" * 513,
        "日本語のとても長い名前のファイル.txt": b"y" * 5000,
    }
    found = volume(tmp_path, files, folders=("meta-data/auto-activate",))
    assert found.label == "METADATA"
    assert {e.path: found.read(e.path) for e in found.walk() if not e.is_dir} == files
    assert [e.name for e in found.list("meta-data")] == [
        "auto-activate", "first-boot", "local-hostname", "network",
    ]  # fmt: skip
    assert found.list("meta-data/auto-activate") == []


def test_paths_may_have_backslashes_and_any_case(tmp_path: Path) -> None:
    found = volume(tmp_path, {"meta-data/pw.enc": b"\0\1\2"})
    assert found.read("META-DATA\\PW.ENC") == b"\0\1\2"
    assert found.entry("/Meta-Data/PW.enc").path == "meta-data/pw.enc"


def test_what_is_missing_is_told_from_what_is_broken(tmp_path: Path) -> None:
    found = volume(tmp_path, {"a": b"x"})
    assert not found.exists("meta-data/pw.enc")
    with pytest.raises(FatPathMissing, match=r"pw\.enc does not exist in partition 1"):
        found.read("pw.enc")
    with pytest.raises(DiskError, match="is a directory"):
        volume(tmp_path, {"a/b": b"x"}).read("a")


def test_many_names_that_shorten_to_the_same(tmp_path: Path) -> None:
    files = {f"long name number {number}.text": b"%d" % number for number in range(120)}
    found = volume(tmp_path, files)
    assert {e.path: found.read(e.path) for e in found.walk()} == files


def test_copy_out(tmp_path: Path) -> None:
    found = volume(tmp_path, {"a/b/c": b"1", "a/d": b"2"})
    found.copy_out("a", tmp_path / "out")
    assert (tmp_path / "out/b/c").read_bytes() == b"1"
    found.copy_out("a/d", tmp_path / "d")
    assert (tmp_path / "d").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"big": bytes(SIZE)}, "do not fit"),
        ({"a": b"", "A": b""}, "same name"),
        ({"a": b"", "a/b": b""}, "file and a folder"),
        ({"bad:name": b""}, "cannot hold"),
        ({"dot.": b""}, "cannot hold"),
        ({"a//b": b""}, "cannot hold"),
    ],
)
def test_what_cannot_be_on_fat_is_refused(files: dict[str, bytes], says: str) -> None:
    with pytest.raises(MediaError, match=says):
        make_fat32(SIZE, "X", files, hidden_sectors=0, serial=1, when=WHEN)


def test_the_same_files_give_the_same_bytes() -> None:
    def make() -> bytes:
        return make_fat32(SIZE, "X", {"a": b"b"}, hidden_sectors=0, serial=1, when=WHEN)

    assert make() == make()


names = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters='"*/:<>?\\|.'),
    min_size=1,
    max_size=20,
)
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join), st.binary(max_size=1500), max_size=8
)
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(trees)
def test_whatever_goes_on_is_read_back(tmp_path: Path, files: dict[str, bytes]) -> None:
    try:
        found = volume(tmp_path, files)
    except MediaError as exc:  # names that clash without regard to case, or a folder for a file
        assert "same name" in exc.message or "a folder" in exc.message
        return
    assert {e.path: found.read(e.path) for e in found.walk() if not e.is_dir} == files


@quick
@given(st.lists(st.tuples(st.integers(0, 40000), st.integers(0, 255)), min_size=1, max_size=20))
def test_damage_raises_only_disk_errors(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    raw = bytearray(
        make_fat32(SIZE, "X", {"a/b": b"x" * 999}, hidden_sectors=0, serial=1, when=WHEN)
    )
    for offset, byte in damage:
        raw[offset] = byte
    image = tmp_path / "damaged"
    image.write_bytes(raw)
    try:
        found = FatVolume(image, Partition(1, 0, SIZE, "0c", active=False))
        for entry in found.walk():
            if not entry.is_dir:
                found.read(entry.path)
    except DiskError:
        pass


@pytest.mark.parametrize("content", [b"", bytes(512), bytes(510) + b"\x55\xaa"])
def test_what_is_no_fat_volume_is_said(tmp_path: Path, content: bytes) -> None:
    image = tmp_path / "x"
    image.write_bytes(content)
    with pytest.raises(DiskError, match="no FAT file system"):
        FatVolume(image, Partition(1, 0, 1 << 20, "0c", active=False))


def test_a_volume_that_is_cut_off_is_said(tmp_path: Path) -> None:
    content = make_fat32(SIZE, "X", {"a": b"x"}, hidden_sectors=0, serial=1, when=WHEN)
    image = tmp_path / "x"
    image.write_bytes(content)
    with pytest.raises(DiskError, match="cut off"):
        FatVolume(image, Partition(1, 0, SIZE // 2, "0c", active=False))
