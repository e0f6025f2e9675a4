"""What a virtual machine consists of. `argv.py` says how QEMU is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Accel = Literal["kvm", "tcg"]

DISK_SLOT = 4
METADATA_SLOT = 5


@dataclass(frozen=True)
class Disk:
    """A virtio-blk disk.

    `boot_index`: 0 is tried first, None never. `pci_slot` is fixed, because Windows takes a disk
    in another slot for another disk. `direct_io` bypasses the host's page cache, where the
    file system can (see `can_direct_io`).
    """

    path: Path
    format: str = "raw"
    boot_index: int | None = None
    pci_slot: int = DISK_SLOT
    direct_io: bool = True


@dataclass(frozen=True)
class Nic:
    """A virtio network card.

    `isolated`: the cable is plugged in and nobody is at its other end. `user`: QEMU's own NAT,
    with `forwards` ((port of the host's loopback, port of the guest), TCP). `pcap`: file for
    a dump of every packet.
    """

    mac: str
    mode: Literal["isolated", "user"] = "isolated"
    forwards: tuple[tuple[int, int], ...] = ()
    pcap: Path | None = None


@dataclass(frozen=True)
class VmSpec:
    """One boot of a VM. Relative paths are relative to the run directory.

    `rtc_base` is "localtime", "utc", a date (2014-04-01) or a date and time
    (2014-04-01T12:00:00). `keyboard_map` is the layout that the VNC viewer's keys are
    translated to (us, jp106, de, or a name that QEMU knows). `vnc_display` N listens on TCP
    port 5900 + N of the loopback. `machine` "pc" stands for the newest version that the
    installed QEMU has; `start_vm` replaces it by that version's name.
    """

    name: str
    disks: tuple[Disk, ...]
    nic: Nic
    vnc_display: int
    accel: Accel
    memory_mib: int = 2000
    cpus: int = 2
    floppy: Path | None = None
    cdroms: tuple[Path, ...] = ()
    keyboard_map: str | None = None
    rtc_base: str = "localtime"
    binary: str = "qemu-system-x86_64"
    machine: str = "pc"


def can_direct_io(path: Path) -> bool:
    """Whether the file can be opened with O_DIRECT (an older tmpfs, for one, cannot)."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True
