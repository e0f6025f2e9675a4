"""VmSpec → QEMU's command line. Pure: looks at nothing, starts nothing.

Every device sits in a fixed PCI slot, so that Windows meets the same hardware at each boot
whatever else is attached. No secret is ever an argument: `ps` shows them to everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from winbuild.vm import files
from winbuild.vm.spec import Accel, Disk, Nic, VmSpec

VNC_HOST = "127.0.0.1"
VNC_PORT_BASE = 5900

# What the guest's side of Windows calls "Hyper-V enlightenments": the set that virt-install gives
# to every Windows. hv-crash makes a blue screen a GUEST_PANICKED event.
_HYPERV = (
    "hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,hv-vpindex=on,hv-runtime=on,hv-time=on,"
    "hv-synic=on,hv-stimer=on,hv-frequencies=on,hv-tlbflush=on,hv-ipi=on,hv-crash=on"
)

# Slots 0 and 1 are the chipset's; 4 and 5 are the disks' (Disk.pci_slot).
_VGA_SLOT, _NIC_SLOT, _USB_SLOT = 2, 3, 6


# winbuild's name of a keyboard layout → QEMU's; the others are the same.
_KEYMAPS = {"us": "en-us", "jp106": "ja"}


def quoted(value: str | Path) -> str:
    """A value inside QEMU's NAME=VALUE,NAME=VALUE options: a comma is written twice."""
    return str(value).replace(",", ",,")


def acceleration_argv(accel: Accel) -> list[str]:
    """Accelerator and processor. The proof of KVM (accel.py) must use the very same."""
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", f"host,{_HYPERV}"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def vnc_address(spec: VmSpec) -> str:
    return f"{VNC_HOST}:{VNC_PORT_BASE + spec.vnc_display}"


def qemu_argv(spec: VmSpec) -> list[str]:
    """Return the whole command; to be run with the run directory as working directory.

    QEMU expects `{"execute": "qmp_capabilities"}` on its standard input: that is the monitor
    which writes the events to a file.
    """
    return [
        spec.binary,
        *("-name", f"guest={quoted(spec.name)}"),
        *("-no-user-config", "-nodefaults"),
        *_board(spec),
        *_lifecycle(),
        *_monitors(),
        *_console(spec),
        *(arg for number, disk in enumerate(spec.disks) for arg in _disk(number, disk)),
        *_floppy(spec.floppy),
        *_cdroms(spec.cdroms, first_boot_index=_free_boot_index(spec.disks)),
        *_nic(spec.nic),
    ]


def _board(spec: VmSpec) -> list[str]:
    argv = [
        *("-machine", f"{spec.machine},hpet=off"),
        *acceleration_argv(spec.accel),
        # One socket: client editions of Windows use one or two sockets only, but all cores.
        *("-smp", f"{spec.cpus},sockets=1,cores={spec.cpus},threads=1"),
        *("-m", f"{spec.memory_mib}M"),
        *("-rtc", f"base={spec.rtc_base},driftfix=slew"),
        # A VM that suspends itself would look like one that hangs.
        *("-global", "PIIX4_PM.disable_s3=1", "-global", "PIIX4_PM.disable_s4=1"),
        # Boot from what has a boot index, and from nothing else.
        *("-boot", "menu=off,strict=on"),
        *("-device", "pvpanic"),
    ]
    if spec.accel == "kvm":
        argv += ["-global", "kvm-pit.lost_tick_policy=delay"]
    return argv


def _lifecycle() -> list[str]:
    # QEMU stays after the guest has switched itself off or has panicked: for a last picture,
    # and so that its power-off can be told from an end of QEMU.
    return ["-action", "shutdown=pause,panic=pause"]


def _monitors() -> list[str]:
    return [
        *("-chardev", f"socket,id=monitor,path={files.MONITOR},server=on,wait=off"),
        *("-mon", "chardev=monitor,mode=control"),
        # The second monitor has no client. Its log is the event log, appended to for as long
        # as QEMU lives, whether winbuild runs or not.
        *("-chardev", f"stdio,id=events,signal=off,logfile={files.EVENTS},logappend=on"),
        *("-mon", "chardev=events,mode=control"),
    ]


def _console(spec: VmSpec) -> list[str]:
    argv = [
        *("-display", "none", "-vnc", f"{VNC_HOST}:{spec.vnc_display}"),
        *("-vga", "none", "-device", f"VGA,addr={_VGA_SLOT}"),
        # EHCI: Windows 7 and 2008 R2 have no driver for xHCI. The keyboard is the PS/2 one.
        *("-device", f"usb-ehci,id=usb,addr={_USB_SLOT}", "-device", "usb-tablet,bus=usb.0"),
        "-chardev",
        f"socket,id=serial,path={files.SERIAL},server=on,wait=off,"
        f"logfile={files.SERIAL_LOG},logappend=off",
        *("-device", "isa-serial,chardev=serial"),
    ]
    if spec.keyboard_map:
        argv += ["-k", _KEYMAPS.get(spec.keyboard_map, spec.keyboard_map)]
    return argv


def _image(node: str, path: Path, options: str) -> list[str]:
    # -blockdev, not -drive: the latter takes a colon in the path for a protocol.
    file = f"file.driver=file,file.filename={quoted(path)}"
    return ["-blockdev", f"node-name={node},{options},{file}"]


def _disk(number: int, disk: Disk) -> list[str]:
    node = f"disk{number}"
    # Native AIO exists only together with direct I/O.
    cache, aio = ("on", "native") if disk.direct_io else ("off", "threads")
    boot = "" if disk.boot_index is None else f",bootindex={disk.boot_index}"
    return [
        *_image(
            node,
            disk.path,
            f"driver={disk.format},discard=unmap,cache.direct={cache},"
            f"file.cache.direct={cache},file.aio={aio},file.discard=unmap",
        ),
        *("-device", f"virtio-blk-pci,id={node},drive={node},addr={disk.pci_slot}{boot}"),
    ]


def _floppy(path: Path | None) -> list[str]:
    if path is None:
        return []
    return [
        # Write-protected: what the guest would write there is in no checkpoint.
        *_image("floppy0", path, "driver=raw,read-only=on"),
        *("-device", "floppy,drive=floppy0,unit=0"),
    ]


def _cdroms(paths: Sequence[Path], first_boot_index: int) -> list[str]:
    argv: list[str] = []
    for number, path in enumerate(paths):
        node = f"cd{number}"
        place = f"bus=ide.{number // 2},unit={number % 2}"
        # Windows gives drive letters in the order of the places: D: to the first CD.
        argv += _image(node, path, "driver=raw,read-only=on")
        boot_index = first_boot_index + number
        argv += ["-device", f"ide-cd,id={node},drive={node},{place},bootindex={boot_index}"]
    return argv


def _free_boot_index(disks: Sequence[Disk]) -> int:
    used = [disk.boot_index for disk in disks if disk.boot_index is not None]
    return max(used, default=-1) + 1


def _nic(nic: Nic) -> list[str]:
    if nic.mode == "user":
        forwards = "".join(
            f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in nic.forwards
        )
        backend = f"user,id=net0{forwards}"
    else:
        # A hub with nothing else in it: no other VM, no DHCP, no host, and no socket to share.
        backend = "hubport,id=net0,hubid=0"
    argv = ["-netdev", backend]
    if nic.pcap:
        argv += ["-object", f"filter-dump,id=packets,netdev=net0,file={quoted(nic.pcap)}"]
    mac = nic.mac.replace("-", ":").lower()
    # No ROM: the network is nothing to boot from.
    argv += ["-device", f"virtio-net-pci,netdev=net0,mac={mac},addr={_NIC_SLOT},romfile="]
    return argv
