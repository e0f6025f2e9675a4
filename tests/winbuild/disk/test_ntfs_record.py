"""The structures that winbuild changes itself. tests/real/test_disk_ntfs.py has real volumes."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.disk import ntfs_record as ntfs
from winbuild.disk.ntfs_security import administrators_only

END = b"\xff\xff\xff\xff\0\0\0\0"


def resident(type_code: int, value: bytes) -> bytes:
    length = -(-(24 + len(value)) // 8) * 8
    head = struct.pack("<IIBBHHHIHBB", type_code, length, 0, 0, 24, 0, 1, len(value), 24, 0, 0)
    return (head + value).ljust(length, b"\0")


def record(*attributes: bytes, size: int = 1024) -> bytes:
    """A file record without fixups, first attribute at 56."""
    content = b"".join(attributes) + END
    head = struct.pack("<4sHHQHHHHIIQHHI", b"FILE", 48, size // 512 + 1, 0, 1, 1, 56, 1,
                       56 + len(content), size, 0, 7, 0, 3)  # fmt: skip
    return (head.ljust(56, b"\0") + content).ljust(size, b"\0")


def values(of: bytes) -> list[tuple[int, bytes]]:
    return [(attribute.type, attribute.value) for attribute in ntfs.attributes(of)]


@given(st.binary(min_size=900, max_size=900), st.integers(0, 0xFFFF))
def test_fixups_come_off_as_they_went_on(content: bytes, number: int) -> None:
    plain = bytearray(record(resident(0x80, content)))
    struct.pack_into("<H", plain, 48, number)
    raw = ntfs.protect(bytes(plain))
    assert raw[510:512] == raw[1022:1024] == raw[48:50] not in (b"\0\0", b"\xff\xff")
    back = ntfs.unprotect(raw)
    assert values(back) == [(0x80, content)]
    assert back[54:] == plain[54:]


def test_a_torn_record_is_noticed() -> None:
    raw = bytearray(ntfs.protect(record(resident(0x80, b"x"))))
    raw[1022] ^= 1
    with pytest.raises(ntfs.NtfsFormatError, match="only in part"):
        ntfs.unprotect(bytes(raw))


@given(st.text(max_size=32), st.text(max_size=32))
def test_the_volume_name_changes_and_nothing_else(old: str, new: str) -> None:
    before = [(0x10, b"a" * 48), (0x60, old.encode("utf-16-le")), (0x70, b"b" * 12), (0x80, b"")]
    changed = ntfs.with_volume_name(record(*(resident(*each) for each in before)), new)
    before[1] = (0x60, new.encode("utf-16-le"))
    assert values(changed) == before
    assert len(changed) == 1024


@pytest.mark.parametrize("behind", [[(0x70, b"b" * 12)], []])
def test_a_missing_volume_name_is_inserted_in_order(behind: list[tuple[int, bytes]]) -> None:
    before = [(0x10, b"a" * 48), *behind]
    changed = ntfs.with_volume_name(record(*(resident(*each) for each in before)), "root")
    assert values(changed) == [before[0], (0x60, b"r\0o\0o\0t\0"), *behind]
    assert struct.unpack_from("<H", changed, 40) == (8,)  # the next instance number


def test_a_name_that_does_not_fit_is_refused() -> None:
    full = record(resident(0x10, b"a" * 888), resident(0x60, b""))
    with pytest.raises(ntfs.NtfsFormatError, match="does not fit"):
        ntfs.with_volume_name(full, "a longer name")


@given(st.binary(min_size=1024, max_size=1024))
def test_garbage_raises_only_format_errors(garbage: bytes) -> None:
    for start in (b"", b"FILE\x30\0\x03\0"):
        raw = start + garbage[len(start) :]
        try:
            ntfs.with_volume_name(ntfs.unprotect(raw), "x")
        except ntfs.NtfsFormatError:
            continue


@given(st.data())
def test_damaged_records_raise_only_format_errors(data: st.DataObject) -> None:
    raw = bytearray(record(resident(0x10, b"a" * 48), resident(0x60, b"n\0"), resident(0x70, b"b")))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, 255))] = data.draw(st.integers(0, 255))
    with suppress(ntfs.NtfsFormatError):
        assert len(ntfs.with_volume_name(bytes(raw), "label")) == 1024


def boot_sector(per_cluster: int = 8, per_record: int = -10, sector: int = 512) -> bytes:
    raw = bytearray(512)
    struct.pack_into("<3s8sHB", raw, 0, b"\xeb\x52\x90", b"NTFS    ", sector, per_cluster)
    struct.pack_into("<QQQb", raw, 40, 102399, 4, 6399, per_record)
    return bytes(raw)


@pytest.mark.parametrize(
    ("per_cluster", "per_record", "cluster_bytes", "record_bytes"),
    [
        (8, -10, 4096, 1024),
        (1, 2, 512, 1024),
        (0xF6, -12, 512 << 10, 4096),
        (128, -10, 65536, 1024),
    ],
)
def test_sizes_in_the_boot_sector(
    per_cluster: int, per_record: int, cluster_bytes: int, record_bytes: int
) -> None:
    geometry = ntfs.parse_boot_sector(boot_sector(per_cluster, per_record))
    assert (geometry.cluster_bytes, geometry.record_bytes) == (cluster_bytes, record_bytes)
    assert geometry.mft_start == 4 * cluster_bytes
    assert geometry.volume_bytes == 102399 * 512


@pytest.mark.parametrize(
    "sector",
    [bytes(512), boot_sector(0), boot_sector(sector=513), boot_sector(per_record=-20), b""],
)
def test_impossible_boot_sectors_are_refused(sector: bytes) -> None:
    with pytest.raises(ntfs.NtfsFormatError):
        ntfs.parse_boot_sector(sector)


def test_the_security_descriptor_grants_administrators_and_nobody_else() -> None:
    raw = administrators_only(80)
    revision, _, control, owner, group, sacl, dacl = struct.unpack_from("<BBHIIII", raw)
    assert (len(raw), revision, control, sacl) == (80, 1, 0x8004, 0)
    sid = bytes.fromhex("01020000000000052000000020020000")
    assert raw[owner : owner + 16] == raw[group : group + 16] == sid
    _, _, acl_bytes, count, _ = struct.unpack_from("<BBHHH", raw, dacl)
    assert (dacl + acl_bytes, count) == (80, 1)
    kind, flags, ace_bytes, mask = struct.unpack_from("<BBHI", raw, dacl + 8)
    assert (kind, flags, ace_bytes, mask) == (0, 0, 24, 0x1F01FF)
    assert raw[dacl + 16 : dacl + 32] == sid
    with pytest.raises(ValueError, match="67 bytes"):
        administrators_only(67)
