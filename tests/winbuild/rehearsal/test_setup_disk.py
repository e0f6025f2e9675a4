"""Partitions that Setup makes, read back by winbuild's own reader of partition tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.disk.partitions import parse_partitions
from winbuild.rehearsal.guest.disk import (
    ALIGNMENT,
    MIB,
    SECTOR,
    DiskPlanError,
    DiskTooSmall,
    master_boot_record,
    plan_partitions,
)
from winbuild.rehearsal.guest.unattend import DiskPlan, NewPartition, PartitionChange

WALK = DiskPlan(
    0,
    True,
    (NewPartition("Primary", 350), NewPartition("Primary", None)),
    (PartitionChange(1, "NTFS", "Boot", True), PartitionChange(2, "NTFS", "System")),
)


def test_the_layout_of_the_walk() -> None:
    boot, system = plan_partitions(WALK, 30 << 30)
    assert (boot.start * SECTOR, boot.sectors * SECTOR) == (ALIGNMENT, 350 * MIB)
    assert system.start == boot.start + boot.sectors
    assert 30 * 1024 - 2 <= (system.start + system.sectors) * SECTOR // MIB <= 30 * 1024 - 1
    assert (boot.active, system.active) == (True, False)
    assert (boot.label, system.label) == ("Boot", "System")


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=4),
    st.booleans(),
    st.integers(8 * MIB, 64 << 30),
)
def test_what_is_written_is_what_was_planned(sizes: list[int], rest: bool, disk: int) -> None:
    create = [NewPartition("Primary", size) for size in sizes]
    if rest:
        create[-1] = NewPartition("Primary", None)
    change = (PartitionChange(1, "NTFS", "", True),)
    plan = DiskPlan(0, True, tuple(create), change)
    try:
        partitions = plan_partitions(plan, disk)
    except DiskTooSmall:
        wanted = sum(sizes[:-1] if rest else sizes) + (1 if rest else 0)
        assert (wanted + 2) * MIB > disk - ALIGNMENT
        return
    record = master_boot_record(partitions, 0x1234ABCD, b"\xeb\xfe")

    def read(offset: int, length: int) -> bytes:
        return record[offset : offset + length].ljust(length, b"\0")

    found = parse_partitions(read, disk)
    assert [(p.start_bytes, p.size_bytes, p.active) for p in found] == [
        (p.start * SECTOR, p.sectors * SECTOR, p.active) for p in partitions
    ]
    assert record[:2] == b"\xeb\xfe" and record[440:444] == bytes.fromhex("cdab3412")
    ends = [p.start_bytes + p.size_bytes for p in found]
    assert all(end <= start.start_bytes for end, start in zip(ends, found[1:], strict=False))
    assert ends[-1] <= disk


@pytest.mark.parametrize(
    "plan",
    [
        DiskPlan(0, False, WALK.create, WALK.change),
        DiskPlan(0, True, (NewPartition("EFI", 100),), ()),
        DiskPlan(0, True, WALK.create, (PartitionChange(3, "NTFS"),)),
        DiskPlan(0, True, (NewPartition("Primary", 10),) * 5, ()),
    ],
)
def test_what_a_bios_machine_cannot_have(plan: DiskPlan) -> None:
    with pytest.raises(DiskPlanError):
        plan_partitions(plan, 30 << 30)
