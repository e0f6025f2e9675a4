from __future__ import annotations

import struct
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.disk.partitions import (
    Partition,
    file_system_kind,
    parse_partitions,
    partition_by_number,
    read_partitions,
    require_ntfs,
)
from winbuild.errors import DiskError

MIB = 1 << 20
BASIC_DATA = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
DISK_SECTORS = 16384


def parse(disk: bytes, size_bytes: int | None = None) -> list[Partition]:
    size = len(disk) if size_bytes is None else size_bytes
    return parse_partitions(lambda at, length: disk[at : at + length], size)


def mbr(*entries: tuple[int, int, int, int, int]) -> bytes:
    """Entries as (slot, status, type, first sector, sectors)."""
    sector = bytearray(512)
    for slot, status, type_code, start, count in entries:
        struct.pack_into(
            "<B3sB3sII",
            sector, 446 + 16 * slot, status, b"\0" * 3, type_code, b"\0" * 3, start, count,
        )  # fmt: skip
    sector[510:512] = b"\x55\xaa"
    return bytes(sector)


def gpt_disk(*entries: tuple[int, int, int, str], sectors: int = DISK_SECTORS) -> bytearray:
    """Entries as (index, first sector, last sector, name)."""
    disk = bytearray(sectors * 512)
    disk[:512] = mbr((0, 0, 0xEE, 1, sectors - 1))
    table = bytearray(128 * 128)
    for index, first, last, name in entries:
        struct.pack_into(
            "<16s16sQQQ72s",
            table, index * 128, uuid.UUID(BASIC_DATA).bytes_le, uuid.uuid4().bytes_le,
            first, last, 0, name.encode("utf-16-le"),
        )  # fmt: skip
    for own, other, at in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 33)):
        header = bytearray(92)
        struct.pack_into(
            "<8sIIIIQQQQ16sQIII",
            header, 0, b"EFI PART", 0x10000, 92, 0, 0, own, other, 34, sectors - 34, bytes(16),
            at, 128, 128, zlib.crc32(table),
        )  # fmt: skip
        struct.pack_into("<I", header, 16, zlib.crc32(header))
        disk[own * 512 : own * 512 + 92] = header
        disk[at * 512 : at * 512 + len(table)] = table
    return disk


def test_the_two_partitions_that_the_answer_file_makes() -> None:
    disk = mbr((0, 0x80, 7, 2048, 716800), (1, 0, 7, 718848, 62193664))
    assert parse(disk, 30 << 30) == [
        Partition(1, MIB, 350 * MIB, "07", active=True),
        Partition(2, 351 * MIB, 62193664 * 512, "07", active=False),
    ]


def test_numbers_are_those_of_the_slots() -> None:
    disk = mbr((1, 0, 7, 2048, 2048), (3, 0, 0x27, 4096, 2048))
    assert [(each.number, each.type_code) for each in parse(disk, 8 * MIB)] == [
        (2, "07"),
        (4, "27"),
    ]


def test_logical_partitions_are_numbered_from_five() -> None:
    disk = bytearray(DISK_SECTORS * 512)
    disk[:512] = mbr((0, 0x80, 7, 64, 100), (1, 0, 0x0F, 1000, 4000))
    disk[1000 * 512 : 1001 * 512] = mbr((0, 0, 7, 10, 500), (1, 0, 5, 2000, 1000))
    disk[3000 * 512 : 3001 * 512] = mbr((0, 0, 0x0C, 20, 600))
    found = [
        (each.number, each.start_bytes // 512, each.size_bytes // 512)
        for each in parse(bytes(disk))
    ]
    assert found == [(1, 64, 100), (5, 1010, 500), (6, 3020, 600)]


def test_a_circle_of_logical_partitions_is_an_error() -> None:
    disk = bytearray(DISK_SECTORS * 512)
    disk[:512] = mbr((0, 0, 5, 1000, 4000))
    disk[1000 * 512 : 1001 * 512] = mbr((0, 0, 7, 10, 500), (1, 0, 5, 0, 1000))
    with pytest.raises(DiskError, match="circle"):
        parse(bytes(disk))


def test_a_broken_chain_of_logical_partitions_is_an_error() -> None:
    disk = bytearray(DISK_SECTORS * 512)
    disk[:512] = mbr((0, 0, 5, 1000, 4000))
    with pytest.raises(DiskError, match="broken at sector 1000"):
        parse(bytes(disk))


def test_gpt() -> None:
    disk = gpt_disk((0, 2048, 4095, "EFI system partition"), (2, 4096, 8191, "Basic data 日本"))
    assert parse(bytes(disk)) == [
        Partition(1, MIB, MIB, BASIC_DATA, active=False, name="EFI system partition"),
        Partition(3, 2 * MIB, 2 * MIB, BASIC_DATA, active=False, name="Basic data 日本"),
    ]


@pytest.mark.parametrize("damage", [512 + 8, 512 + 16, 2 * 512 + 40], ids=["head", "crc", "entry"])
def test_a_damaged_gpt_is_read_from_its_backup(damage: int) -> None:
    disk = gpt_disk((0, 2048, 4095, "x"))
    good = parse(bytes(disk))
    disk[damage] ^= 0xFF
    assert parse(bytes(disk)) == good


def test_a_gpt_damaged_in_both_places_is_an_error() -> None:
    disk = gpt_disk((0, 2048, 4095, "x"))
    disk[512] ^= 1
    disk[-512] ^= 1
    with pytest.raises(DiskError, match="both copies"):
        parse(bytes(disk))


@pytest.mark.parametrize(
    ("disk", "says"),
    [
        (b"", "too short"),
        (bytes(511), "too short"),
        (bytes(4096), "first sector is empty"),
        (b"\x33\xc0" + bytes(4094), "no partition table"),
        (b"\xeb\x52\x90NTFS    " + bytes(499) + b"\x55\xaa", "NTFS file system without"),
        (mbr((0, 0x17, 7, 2048, 2048)), "no valid one"),
        (mbr((0, 0, 7, 0, 2048)), "entry 1 .* faulty"),
        (mbr((0, 0, 7, 2048, 2048)), "cut off: partition 1 ends at byte 2097152"),
    ],
)
def test_what_is_no_disk_is_said(disk: bytes, says: str) -> None:
    with pytest.raises(DiskError, match=says):
        parse(bytes(disk))


@given(st.binary(min_size=0, max_size=3000))
def test_garbage_gives_partitions_within_the_disk_or_a_disk_error(disk: bytes) -> None:
    _partitions_lie_inside(disk)


@given(st.data())
def test_damaged_tables_give_partitions_within_the_disk_or_a_disk_error(
    data: st.DataObject,
) -> None:
    disk = gpt_disk((0, 34, 60, "x"), sectors=128)
    if data.draw(st.booleans()):
        disk[:512] = mbr((0, 0, 5, 10, 50), (1, 0x80, 7, 70, 20))
        disk[10 * 512 : 11 * 512] = mbr((0, 0, 7, 1, 5), (1, 0, 5, 10, 10))
        disk[20 * 512 : 21 * 512] = mbr((0, 0, 7, 1, 5))
    for _ in range(data.draw(st.integers(1, 8))):
        disk[data.draw(st.integers(0, 21 * 512))] = data.draw(st.integers(0, 255))
    _partitions_lie_inside(bytes(disk))


def _partitions_lie_inside(disk: bytes) -> None:
    try:
        found = parse(disk)
    except DiskError:
        return
    assert all(0 < each.start_bytes < each.end_bytes <= len(disk) for each in found)


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0x80]), st.integers(1, 0xFF), st.integers(1, 1000)),
        max_size=4,
    )
)
def test_every_primary_entry_is_found_as_written(wanted: list[tuple[int, int, int]]) -> None:
    entries, start = [], 100
    for slot, (status, type_code, count) in enumerate(wanted):
        if type_code in (0x05, 0x0F, 0x85, 0xEE):
            type_code = 7
        entries.append((slot, status, type_code, start, count))
        start += count
    found = parse(mbr(*entries), 1 << 40)
    assert [
        (each.number - 1, 0x80 * each.active, int(each.type_code, 16), each.start_bytes // 512,
         each.size_bytes // 512)
        for each in found
    ] == entries  # fmt: skip


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xeb\x52\x90NTFS    ", "NTFS"),
        (b"\xeb\x58\x90-FVE-FS-", "BitLocker"),
        (b"\xeb\x58\x90MSWIN4.1".ljust(0x52) + b"FAT32   ", "FAT32"),
        (b"\xeb\x76\x90EXFAT   ", "exFAT"),
        (bytes(1080) + b"\x53\xef", "ext2/3/4"),
        (bytes(2048), None),
    ],
)
def test_file_systems_are_told_by_their_first_sectors(start: bytes, kind: str | None) -> None:
    assert file_system_kind(start.ljust(2048, b"\0")) == kind


def test_bitlocker_to_go_is_not_taken_for_fat32() -> None:
    sector = bytearray(b"\xeb\x58\x90MSWIN4.1".ljust(0x52) + b"FAT32   ").ljust(2048, b"\0")
    sector[424:440] = uuid.UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le
    assert file_system_kind(bytes(sector)) == "BitLocker"


def _image(tmp_path: Path, at_partition: bytes) -> Path:
    image = tmp_path / "a disk, with 'quotes' 日本.raw"
    image.write_bytes(mbr((0, 0x80, 7, 2048, 2048)).ljust(MIB, b"\0") + at_partition.ljust(MIB))
    return image


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xeb\x58\x90-FVE-FS-", "BitLocker"),
        (b"\xeb\x76\x90EXFAT   ", "exFAT"),
        (bytes(MIB), "only zeros"),
        (b"random", "no NTFS"),
    ],
)
def test_require_ntfs_says_what_is_there_instead(tmp_path: Path, content: bytes, says: str) -> None:
    image = _image(tmp_path, content)
    with pytest.raises(DiskError, match=says) as caught:
        require_ntfs(image, read_partitions(image)[0])
    assert "partition 1" in caught.value.message
    assert str(image) in caught.value.message


def test_a_missing_partition_number_names_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="has no partition 2; it has 1"):
        partition_by_number(_image(tmp_path, b""), 2)


def test_a_missing_image_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="no disk image"):
        read_partitions(tmp_path / "win-2012.raw")
