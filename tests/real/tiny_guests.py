"""Guests of one sector each, assembled by hand: enough to see how a VM's end is told apart."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from winbuild.deadline import Deadline
from winbuild.host import Host
from winbuild.vm.launch import start_vm
from winbuild.vm.spec import Disk, Nic, VmSpec
from winbuild.vm.vm import Vm

IMAGE_BYTES = 1 << 20

# `mov dx, 0x604; mov ax, 0x2000; out dx, ax; cli; hlt`: sleep state S5 through ACPI.
POWER_OFF = bytes.fromhex("ba0406 b80020 ef fa f4 ebfe")
# `jmp $` with interrupts on, so that the keyboard is served.
LOOP = bytes.fromhex("fb ebfe")
# `mov dx, 0x505; mov al, 1; out dx, al; cli; hlt`: the pvpanic device.
PANIC = bytes.fromhex("ba0505 b001 ee fa f4 ebfe")
# An empty interrupt table, then an interrupt: triple fault, which resets the machine.
_TRIPLE_FAULT = "0f011e 067c cc ebfe"
# `jmp` over the description (no entries) of the table, at 0x7c06.
RESET_FOR_EVER = bytes.fromhex("fa eb09 000000 000000000000") + bytes.fromhex(
    _TRIPLE_FAULT.replace(" ", "")
)
# The same, but only if memory (which a reset leaves alone) does not hold the mark yet:
#   cmp word [0x90000], 0x5742; je off; mov [0x90000], 0x5742; fault
RESET_ONCE_THEN_OFF = (
    bytes.fromhex("fa eb09 000000 000000000000")
    + bytes.fromhex("b80090 8ed8 813e0000 4257 7410 c7060000 4257".replace(" ", ""))
    + bytes.fromhex("31c0 8ed8 0f011e 067c cc".replace(" ", ""))
    + POWER_OFF
)
# Writes "hello\r\n" to the serial port, reads the disk's sectors 1 and 2 into memory by BIOS,
# then loops.
CHATTY = (
    bytes.fromhex("31c0 8ed8 8ec0 fb".replace(" ", ""))
    + b"".join(bytes.fromhex(f"baf803 b0{char:02x} ee".replace(" ", "")) for char in b"hello\r\n")
    + bytes.fromhex("b80202 bb007e b90200 b280 b600 cd13 ebfe".replace(" ", ""))
)
# Writes the disk from sector 1 on for ever, 8 sectors at a time (BIOS function 43h; its packet
# is at 0x7c40, with the sector's number at 0x7c48).
FILLS_ITS_DISK = bytes.fromhex("31c0 8ed8 fb be407c b280 b80043 cd13 8306487c08 ebef").ljust(
    0x40, b"\0"
) + bytes.fromhex("1000 0800 0080 0000 0100000000000000")


def make_disk(folder: Path, code: bytes, name: str = "disk.img") -> Path:
    path = folder / name
    sector = code.ljust(510, b"\0") + b"\x55\xaa"
    path.write_bytes(sector.ljust(IMAGE_BYTES, b"\0"))
    return path


def spec(*disks: Path, **changes: object) -> VmSpec:
    fields: dict[str, object] = {
        "name": "a test, a VM",
        "disks": tuple(
            Disk(path, boot_index=number, pci_slot=4 + number) for number, path in enumerate(disks)
        ),
        "nic": Nic("52-54-00-11-a0-5b"),
        "vnc_display": free_display(),
        "accel": "tcg",
        "memory_mib": 32,
    }
    return VmSpec(**(fields | changes))  # type: ignore[arg-type]


def free_display() -> int:
    """A VNC display whose TCP port is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1]) - 5900


def start(run_dir: Path, code: bytes, *, hold_fds: Sequence[int] = (), **changes: object) -> Vm:
    run_dir.mkdir(parents=True, exist_ok=True)
    return start_vm(Host(), run_dir, spec(make_disk(run_dir, code), **changes), hold_fds=hold_fds)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = Deadline(seconds)
    while not condition():
        deadline.check(what)
        time.sleep(0.02)
