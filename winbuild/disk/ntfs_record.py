"""The few on-disk structures of NTFS that winbuild changes itself, or reads by the thousand. Pure
functions on bytes.

Everything else is read with dissect.ntfs (see ntfs.py). Layouts: the Linux kernel's
fs/ntfs3/ntfs.h and ntfs-3g's layout.h describe the same fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SECTOR_BYTES = 512

RECORD_VOLUME = 3

STANDARD_INFORMATION = 0x10
ATTRIBUTE_LIST = 0x20
SECURITY_DESCRIPTOR = 0x50
VOLUME_NAME = 0x60
VOLUME_INFORMATION = 0x70
DATA = 0x80
REPARSE_POINT = 0xC0
_END = 0xFFFFFFFF

VOLUME_IS_DIRTY = 0x0001
REPARSE_MOUNT_POINT = 0xA0000003
REPARSE_SYMBOLIC_LINK = 0xA000000C
_IN_USE, _IS_DIRECTORY = 0x0001, 0x0002
_WINDOWS_EPOCH = 116_444_736_000_000_000  # from 1601 to 1970, in 100 ns


class NtfsFormatError(ValueError):
    """The bytes are not what NTFS prescribes. Callers make a DiskError of it."""


@dataclass(frozen=True)
class Geometry:
    """What the boot sector says. Sizes and offsets in bytes, from the start of the volume."""

    cluster_bytes: int
    record_bytes: int
    volume_bytes: int
    mft_start: int
    mirror_start: int


def parse_boot_sector(sector: bytes) -> Geometry:
    if len(sector) < SECTOR_BYTES or sector[3:11] != b"NTFS    ":
        raise NtfsFormatError("there is no NTFS boot sector")
    sector_bytes, per_cluster = struct.unpack_from("<HB", sector, 11)
    sectors, mft_lcn, mirror_lcn, per_record = struct.unpack_from("<QQQb", sector, 40)
    # Above 128 the count of sectors is a power of two, given as a negative exponent.
    cluster_sectors = per_cluster if per_cluster <= 0x80 else 1 << (256 - per_cluster)
    cluster_bytes = sector_bytes * cluster_sectors
    record_bytes = per_record * cluster_bytes if per_record > 0 else 1 << -per_record
    if sector_bytes not in (512, 1024, 2048, 4096) or not 512 <= cluster_bytes <= 2 << 20:
        raise NtfsFormatError("the NTFS boot sector gives impossible sizes")
    if record_bytes not in (1024, 2048, 4096):
        raise NtfsFormatError(f"file records of {record_bytes} bytes are unheard of")
    return Geometry(
        cluster_bytes=cluster_bytes,
        record_bytes=record_bytes,
        volume_bytes=sectors * sector_bytes,
        mft_start=mft_lcn * cluster_bytes,
        mirror_start=mirror_lcn * cluster_bytes,
    )


def unprotect(raw: bytes) -> bytes:
    """Take off the fixups of a file record: put back the last two bytes of each sector."""
    record = bytearray(raw)
    if record[:4] != b"FILE":
        raise NtfsFormatError("a file record does not begin with FILE")
    offset, count = struct.unpack_from("<HH", record, 4)
    if count != len(record) // SECTOR_BYTES + 1 or offset + 2 * count > SECTOR_BYTES:
        raise NtfsFormatError("the update sequence of a file record is faulty")
    check = record[offset : offset + 2]
    for index in range(1, count):
        tail = slice(index * SECTOR_BYTES - 2, index * SECTOR_BYTES)
        if record[tail] != check:
            raise NtfsFormatError("a file record was written only in part")
        record[tail] = record[offset + 2 * index : offset + 2 * index + 2]
    return bytes(record)


def protect(record: bytes) -> bytes:
    """Put fixups on a file record, with the next update sequence number."""
    raw = bytearray(record)
    offset, count = struct.unpack_from("<HH", raw, 4)
    (number,) = struct.unpack_from("<H", raw, offset)
    following = 1 if number >= 0xFFFE else number + 1  # 0 and 0xFFFF are not used
    struct.pack_into("<H", raw, offset, following)
    for index in range(1, count):
        tail = slice(index * SECTOR_BYTES - 2, index * SECTOR_BYTES)
        raw[offset + 2 * index : offset + 2 * index + 2] = raw[tail]
        struct.pack_into("<H", raw, tail.start, following)
    return bytes(raw)


@dataclass(frozen=True)
class Attribute:
    """One attribute in a file record: where it lies and, if resident, its value."""

    type: int
    offset: int
    length: int
    resident: bool
    value_offset: int = 0
    """From the start of the record."""
    value: bytes = b""


def attributes(record: bytes) -> Iterator[Attribute]:
    """The attributes of a record without fixups, in order."""
    (offset,) = struct.unpack_from("<H", record, 20)
    (used,) = struct.unpack_from("<I", record, 24)
    if used > len(record):
        raise NtfsFormatError("a file record is longer than its space")
    while True:
        if offset + 4 > used:
            raise NtfsFormatError("a file record has no end mark")
        (type_code,) = struct.unpack_from("<I", record, offset)
        if type_code == _END:
            return
        if offset + 24 > used:
            raise NtfsFormatError("an attribute does not fit into its record")
        (length,) = struct.unpack_from("<I", record, offset + 4)
        if length < 24 or length % 8 or offset + length > used:
            raise NtfsFormatError("an attribute does not fit into its record")
        resident = record[offset + 8] == 0
        value, value_offset = b"", 0
        if resident:
            value_length, value_offset = struct.unpack_from("<IH", record, offset + 16)
            if value_offset + value_length > length:
                raise NtfsFormatError("the value of an attribute does not fit into it")
            value_offset += offset
            value = record[value_offset : value_offset + value_length]
        yield Attribute(type_code, offset, length, resident, value_offset, value)
        offset += length


def with_volume_name(record: bytes, label: str) -> bytes:
    """Record 3 ($Volume), without fixups, with another volume name.

    The resident attribute is made longer or shorter and what follows it is moved; one that is
    missing is inserted in its place in the order of types.
    """
    found = list(attributes(record))
    encoded = label.encode("utf-16-le")
    (used,) = struct.unpack_from("<I", record, 24)
    old = next((attribute for attribute in found if attribute.type == VOLUME_NAME), None)
    if old is None:
        behind = [attribute for attribute in found if attribute.type > VOLUME_NAME]
        cut_start = cut_end = behind[0].offset if behind else used - 8
        (instance,) = struct.unpack_from("<H", record, 40)
        flags_to_instance = struct.pack("<BBHHH", 0, 0, 24, 0, instance)
    elif not old.resident:
        raise NtfsFormatError("the volume name is not stored in the record itself")
    else:
        cut_start, cut_end = old.offset, old.offset + old.length
        flags_to_instance = record[old.offset + 8 : old.offset + 16]
    name_bytes, name_offset = flags_to_instance[1], 24
    if name_bytes:
        raise NtfsFormatError("the volume name is stored under an unexpected name")
    length = -(-(name_offset + len(encoded)) // 8) * 8
    attribute = struct.pack("<II", VOLUME_NAME, length) + flags_to_instance
    attribute += struct.pack("<IHBB", len(encoded), name_offset, 0, 0) + encoded
    changed = record[:cut_start] + attribute.ljust(length, b"\0") + record[cut_end:used]
    if len(changed) > len(record):
        raise NtfsFormatError("the new volume name does not fit into the record")
    result = bytearray(changed.ljust(len(record), b"\0"))
    struct.pack_into("<I", result, 24, len(changed))
    if old is None:
        struct.pack_into("<H", result, 40, instance + 1)
    return bytes(result)


@dataclass(frozen=True)
class Summary:
    """What a listing says of a file. `mtime_ns` counts from 1970 (UTC)."""

    is_dir: bool
    size_bytes: int
    mtime_ns: int
    reparse_tag: int
    """0 if there is none."""


def summarise(record: bytes) -> Summary | None:
    """The gist of a record without fixups; None if parts of it lie in other records."""
    (flags,) = struct.unpack_from("<H", record, 22)
    if not flags & _IN_USE:
        raise NtfsFormatError("a directory names a file record that is not in use")
    size = changed = tag = 0
    for attribute in attributes(record):
        unnamed = record[attribute.offset + 9] == 0
        if attribute.type == ATTRIBUTE_LIST:
            return None
        if attribute.type == STANDARD_INFORMATION and len(attribute.value) >= 16:
            changed = int.from_bytes(attribute.value[8:16], "little")
        elif attribute.type == REPARSE_POINT and attribute.resident:
            tag = int.from_bytes(attribute.value[:4], "little")
        elif attribute.type == REPARSE_POINT:
            return None
        elif attribute.type == DATA and unnamed:
            at = attribute.offset + 48
            in_clusters = int.from_bytes(record[at : at + 8], "little")
            size = len(attribute.value) if attribute.resident else in_clusters
    mtime_ns = (changed - _WINDOWS_EPOCH) * 100 if changed else 0
    return Summary(bool(flags & _IS_DIRECTORY), size, mtime_ns, tag)
