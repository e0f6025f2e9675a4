"""The floppy, made by mtools and read by something else: a FAT12 reader of the tests' own."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from winbuild.errors import MediaError
from winbuild.host import Completed, Host
from winbuild.media.floppy import FLOPPY_BYTES, check_fits, make_floppy

pytestmark = pytest.mark.real

FILES = {
    "Autounattend.xml": "<x>日本語</x>".encode(),
    "run-sysprep.cmd": b"@echo off\r\n",
    "zabbix_agent-1.8.15-1.JP_installer.exe": bytes(range(256)) * 40 + b"\x1a\x00end",
    "UPPER.TXT": b"one sector: " + b"x" * 500,
    "lower.txt": b"",
    "エージェント [1].exe": b"\0\r\n\x1a",
}


class Fat12:
    """Reads the root directory of a FAT12 image, after Microsoft's description of the format."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        fields = struct.unpack_from("<HBHBHHBH", image, 11)
        sector, self.per_cluster, reserved, fats, self.root_entries, self.sectors, _, per_fat = (
            fields
        )
        self.fat = image[reserved * sector : (reserved + per_fat) * sector]
        self.root_start = (reserved + fats * per_fat) * sector
        self.first_cluster = self.root_start + self.root_entries * 32
        self.cluster_bytes = sector * self.per_cluster

    def slots(self) -> list[bytes]:
        """The entries of the root directory that are in use."""
        root = self.image[self.root_start : self.first_cluster]
        slots = [root[at : at + 32] for at in range(0, len(root), 32)]
        return [slot for slot in slots if slot[0] not in (0, 0xE5)]

    def files(self) -> dict[str, bytes]:
        result: dict[str, bytes] = {}
        long_name = ""
        for slot in self.slots():
            if slot[11] == 0x0F:
                units = slot[1:11] + slot[14:26] + slot[28:32]
                part = units.decode("utf-16-le").split("\0")[0].rstrip("\uffff")
                long_name = part + long_name
                continue
            if not slot[11] & 8:
                start, size = struct.unpack_from("<HL", slot, 26)
                result[long_name or self._short_name(slot)] = self._content(start, size)
            long_name = ""
        return result

    @staticmethod
    def _short_name(slot: bytes) -> str:
        base, suffix = slot[:8].decode().rstrip(), slot[8:11].decode().rstrip()
        base = base.lower() if slot[12] & 0x08 else base
        suffix = suffix.lower() if slot[12] & 0x10 else suffix
        return f"{base}.{suffix}" if suffix else base

    def _content(self, cluster: int, size: int) -> bytes:
        parts = []
        while 2 <= cluster < 0xFF8:
            at = self.first_cluster + (cluster - 2) * self.cluster_bytes
            parts.append(self.image[at : at + self.cluster_bytes])
            (pair,) = struct.unpack_from("<H", self.fat, cluster * 3 // 2)
            cluster = pair >> 4 if cluster & 1 else pair & 0xFFF
        return b"".join(parts)[:size]


def test_every_byte_is_on_the_floppy(tmp_path: Path) -> None:
    image = tmp_path / "floppy.img"
    make_floppy(Host(), image, FILES)
    assert image.stat().st_size == FLOPPY_BYTES == 1474560
    assert Fat12(image.read_bytes()).files() == FILES


def test_it_may_hold_a_key_so_it_is_private(tmp_path: Path) -> None:
    image = tmp_path / "floppy.img"
    make_floppy(Host(), image, FILES)
    assert image.stat().st_mode & 0o777 == 0o600


def test_the_same_files_give_the_same_image(tmp_path: Path) -> None:
    for name in ("one.img", "two.img"):
        make_floppy(Host(), tmp_path / name, FILES)
    assert (tmp_path / "one.img").read_bytes() == (tmp_path / "two.img").read_bytes()


def test_a_full_floppy_can_be_made(tmp_path: Path) -> None:
    content = bytes(range(251)) * 5810
    files = {"FULL.BIN": content[: 2846 * 512], "last.txt": b"x"}
    make_floppy(Host(), tmp_path / "floppy.img", files)
    assert Fat12((tmp_path / "floppy.img").read_bytes()).files() == files


NAMES = [
    "A",
    "FILE.TXT",
    "file.txt",
    "FILE.txt",
    "File.txt",
    "no_dot",
    "long.suffix",
    "a.b.c",
    "a+b.txt",
    "日本.txt",
    "12345678.123",
    "123456789.123",
    "abcdefghijklm",
    "abcdefghijklmn",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_arithmetic_of_directory_entries_is_that_of_mtools(tmp_path: Path, name: str) -> None:
    make_floppy(Host(), tmp_path / "floppy.img", {name: b"x"})
    used = len(Fat12((tmp_path / "floppy.img").read_bytes()).slots())
    # Names of one entry each fill what is left: one more must be one too many.
    fillers = {f"FILL{n}": b"" for n in range(224 - used)}
    check_fits({name: b"x", **fillers})
    with pytest.raises(MediaError, match="need 225"):
        check_fits({name: b"x", **fillers, "ONEMORE": b""})


def test_folders_with_difficult_names_are_no_difficulty(tmp_path: Path) -> None:
    folder = tmp_path / ('it\'s @@1024 "テスト", ' + "n" * 150) / "x"
    folder.mkdir(parents=True)
    make_floppy(Host(), folder / "floppy.img", FILES)
    assert [path.name for path in folder.iterdir()] == ["floppy.img"]


def test_too_much_leaves_what_was_there(tmp_path: Path) -> None:
    image = tmp_path / "floppy.img"
    image.write_bytes(b"the old one")
    with pytest.raises(MediaError, match="too many"):
        make_floppy(Host(), image, {"big.exe": bytes(1_474_560)})
    assert image.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [image]


class ForgetfulHost(Host):
    """A host whose mcopy loses the last byte of what it gets, and reports success."""

    def run(self, argv: Sequence[str | Path], **options: Any) -> Completed:
        if argv[0] == "mcopy":
            options["stdin"] = options["stdin"][:-1]
        return super().run(argv, **options)


def test_a_file_that_did_not_arrive_whole_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"Autounattend\.xml does not read back"):
        make_floppy(ForgetfulHost(), tmp_path / "floppy.img", FILES)
    assert list(tmp_path.iterdir()) == []
