"""Partitions, file systems and boot code on the disk that Windows is installed to (BIOS, MBR)."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .unattend import DiskPlan

SECTOR = 512
MIB = 1 << 20
ALIGNMENT = MIB  # where Windows since Vista lets partitions begin
BLKRRPART = 0x125F  # linux/fs.h: read the partition table again
MBR_CODE_BYTES = 440
MBR_TYPES = {"NTFS": 0x07, "FAT32": 0x0C, None: 0x07}
LARGEST_MBR_SECTOR = 0xFFFFFFFF


class DiskTooSmall(Exception):
    """The partitions asked for do not fit."""


class DiskPlanError(Exception):
    """The disk cannot become what is asked for."""


@dataclass(frozen=True)
class Partition:
    """A primary partition to be made; sectors of 512 bytes."""

    number: int
    start: int
    sectors: int
    file_system: str | None
    label: str
    active: bool

    def device(self, disk: Path) -> Path:
        return disk.with_name(f"{disk.name}{self.number}")


def plan_partitions(plan: DiskPlan, size_bytes: int) -> list[Partition]:
    """Where the partitions of `plan` come to lie on a disk of `size_bytes`.

    Raises DiskTooSmall, or DiskPlanError for what a BIOS machine's disk cannot have.
    """
    if not plan.wipe:
        raise DiskPlanError("there is no unallocated space")
    if len(plan.create) > 4 or any(new.kind != "Primary" for new in plan.create):
        raise DiskPlanError("a disk with an MBR has up to four primary partitions")
    changes = {change.number: change for change in plan.change}
    unknown = set(changes) - set(range(1, len(plan.create) + 1))
    if unknown:
        raise DiskPlanError(f"there is no partition {min(unknown)}")
    start, end = ALIGNMENT, (size_bytes - ALIGNMENT) // ALIGNMENT * ALIGNMENT
    made = []
    for number, new in enumerate(plan.create, start=1):
        size = end - start if new.size_mib is None else new.size_mib * MIB
        if size < MIB or start + size > end:
            raise DiskTooSmall(f"partition {number} of {size // MIB} MiB at {start // MIB} MiB")
        change = changes.get(number)
        made.append(
            Partition(
                number,
                start // SECTOR,
                size // SECTOR,
                change.file_system if change else None,
                change.label if change else "",
                change.active if change else False,
            )
        )
        start += size
    return made


def master_boot_record(partitions: Sequence[Partition], signature: int, code: bytes) -> bytes:
    """Sector 0: boot code, the disk's signature, the table of partitions."""
    entries = b""
    for partition in partitions:
        status = 0x80 if partition.active else 0
        kind = MBR_TYPES[partition.file_system]
        if partition.start + partition.sectors > LARGEST_MBR_SECTOR:
            raise DiskPlanError("an MBR reaches no further than 2 TiB")
        # Cylinder, head and sector have been meaningless for long: their largest values.
        chs = b"\xfe\xff\xff"
        place = struct.pack("<II", partition.start, partition.sectors)
        entries += bytes([status]) + chs + bytes([kind]) + chs + place
    head = code[:MBR_CODE_BYTES].ljust(MBR_CODE_BYTES, b"\0") + struct.pack("<IH", signature, 0)
    return head + entries.ljust(64, b"\0") + b"\x55\xaa"


def write_partition_table(disk: Path, record: bytes) -> None:
    """Write sector 0, clear what was behind it up to the first partition, tell the kernel."""
    with disk.open("r+b", buffering=0) as stream:
        stream.write(record + bytes(ALIGNMENT - SECTOR))
        os.fsync(stream.fileno())
        fcntl.ioctl(stream.fileno(), BLKRRPART)


def write_boot_code(disk: Path, code: bytes, core: bytes) -> None:
    """Boot code into sector 0 (its table stays) and the sectors behind it."""
    if len(core) > ALIGNMENT - SECTOR:
        raise ValueError("the boot code does not fit before the first partition")
    with disk.open("r+b", buffering=0) as stream:
        record = stream.read(SECTOR)
        stream.seek(0)
        stream.write(code[:MBR_CODE_BYTES] + record[MBR_CODE_BYTES:])
        # Whole sectors: a block device takes nothing less without reading first.
        stream.write(core + bytes(-len(core) % SECTOR))
        os.fsync(stream.fileno())


def format_argv(partition: Partition, device: Path) -> list[str]:
    """The command that makes the partition's file system, without touching the rest of it."""
    if partition.file_system == "FAT32":
        return ["mkfs.vfat", "-n", partition.label, str(device)]
    start = ["-p", str(partition.start), "-H", "255", "-S", "63"]
    return ["mkntfs", "-Q", "-F", "-q", *start, "-L", partition.label, str(device)]
