"""Starts the VM of a build directory, and judges how it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from winbuild import install_media
from winbuild.deadline import Deadline
from winbuild.disk.ntfs import open_ntfs
from winbuild.disk.windows import windows_partition
from winbuild.errors import CheckFailed, VmError
from winbuild.plan import order
from winbuild.settings import Settings
from winbuild.step import StepContext
from winbuild.vm import files as vm_files
from winbuild.vm import ports
from winbuild.vm.accel import choose_accel
from winbuild.vm.argv import vnc_address
from winbuild.vm.launch import start_vm
from winbuild.vm.spec import DISK_SLOT, METADATA_SLOT, Disk, Nic, VmSpec
from winbuild.windows.languages import language

# Reading a whole changing screen costs most of a second of a core, which the guest needs too.
LOOK_INTERVAL_S = 3.0

SYSPREP_MARK = r"Windows\System32\Sysprep\Sysprep_succeeded.tag"
INSTALL_STEP = "3-boot-with-install-iso-and-floppy"
# From this number on steps start the finished image, not the installation.
FIRST_BOOT_NUMBER = 1001


def boot_install(ctx: StepContext) -> None:
    """Boot from the Windows ISO: floppy A:, system disk, CDs with Windows and the drivers."""
    settings = ctx.settings
    _start(
        ctx,
        lambda display: _spec(
            ctx,
            display,
            floppy=ctx.builddir.file("answerfile-floppy.img"),
            cdroms=(
                install_media.fixed_input(ctx, "windows"),
                install_media.fixed_input(ctx, "virtio"),
            ),
            nic=Nic(mac=settings.install_mac, mode="isolated"),
            rtc_base=settings.install_date,
        ),
    )


def boot_test(ctx: StepContext, *, network: bool | None = None) -> None:
    """Boot the installed image with the metadata disk; `network` None takes it from NATNET."""
    settings = ctx.settings
    metadata = ctx.builddir.file("metadata.img")
    extra = (Disk(metadata, pci_slot=METADATA_SLOT),) if metadata.exists() else ()
    use_network = settings.nat_net if network is None else network

    def nic(digit: int) -> Nic:
        return Nic(
            mac=settings.boot_mac,
            mode="user" if use_network else "isolated",
            forwards=ports.forwards(digit) if use_network else (),
            pcap=Path(vm_files.PACKETS),
        )

    _start(
        ctx,
        lambda digit: _spec(ctx, digit, disks=extra, nic=nic(digit), rtc_base=settings.boot_date),
    )


def _spec(ctx: StepContext, digit: int, **fields: object) -> VmSpec:
    settings = ctx.settings
    choice = choose_accel(ctx.host, settings.accel, binary=settings.qemu)
    if ctx.settings.accel == "auto":
        ctx.ui.say(f"acceleration: {choice.accel} ({choice.reason})")
    disks = (Disk(ctx.builddir.image, boot_index=0, pci_slot=DISK_SLOT),)
    extra = fields.pop("disks", ())
    return VmSpec(
        name=ctx.builddir.name,
        memory_mib=settings.memory_mib,
        cpus=settings.cpus,
        accel=choice.accel,
        disks=disks + extra,  # type: ignore[operator]
        keyboard_map=keyboard_layout(settings),
        vnc_display=ports.vnc_display(digit),
        binary=settings.qemu,
        # Fixed at 1-setup-install: with a newer QEMU Windows would find itself in another machine.
        machine=ctx.builddir.params().get("machine", "pc"),
        **fields,  # type: ignore[arg-type]
    )


def keyboard_layout(settings: Settings) -> str:
    """Name of the layout that is typed on: KEYBOARD, or the one of LANGUAGE."""
    return settings.keyboard or language(settings.language).keyboard


def _start(ctx: StepContext, make_spec: Callable[[int], VmSpec]) -> None:
    builddir = ctx.builddir
    for place in builddir.mountpoints():
        if os.path.ismount(place):
            raise CheckFailed(
                f"the disk is mounted on {place}", hint=f"undo that: {builddir.command} -umount"
            )
    preferred = ctx.version.port_digit if builddir.digit is None else builddir.digit
    claim = ports.claim_digit(preferred, builddir.path)
    try:
        spec = make_spec(claim.digit)
        start_vm(ctx.host, builddir.path, spec, hold_fds=(claim.fd,))
        if claim.digit != builddir.digit:
            builddir.write_fact("active", str(claim.digit))
    finally:
        # The VM's own process keeps the claim for as long as it lives.
        os.close(claim.fd)
    ctx.ui.say(how_to_look(vnc_address(spec)))


def how_to_look(vnc: str) -> str:
    """`vnc` is HOST:PORT. Viewers differ in how they want a port to be written."""
    host, _, port = vnc.rpartition(":")
    return f"to see the VM's screen: vncviewer {host}::{port}  (VNC, port {port} of {host})"


# -- what state the VM is in ---------------------------------------------------------------


def started_by_killed_try(ctx: StepContext) -> bool:
    """Whether an earlier try of this very step was killed after it had started the VM, and
    that VM is still there: the step's work is done then."""
    status = ctx.vm.status()
    return (
        ctx.interrupted_since is not None
        and status.state in ("running", "paused", "shutdown")
        and status.pid is not None
        and status.since is not None
        and status.since >= ctx.interrupted_since
    )


def stop_leftover(ctx: StepContext) -> None:
    """Stop the VM of this directory, if any: its disk is going to be made anew."""
    if ctx.vm.status().pid is not None:
        ctx.vm.kill()


def release_disk(ctx: StepContext) -> None:
    """Raise CheckFailed if the VM runs; end a QEMU that has stayed after the guest's power-off."""
    require_off(ctx)
    if ctx.vm.status().pid is not None:
        ctx.vm.quit()


def require_vm(ctx: StepContext) -> None:
    """Raise VmError, saying how to go back, unless the VM of the installation runs."""
    status = ctx.vm.status()
    if status.state == "running":
        return
    if status.state == "paused":
        ctx.vm.resume()
        return
    raise VmError(
        {
            "none": "the VM does not run",
            "shutdown": "Windows has shut itself down too early",
            "crashed": f"the VM is gone: {status.cause}",
        }[status.state],
        hint=go_back_hint(ctx),
    )


def go_back_hint(ctx: StepContext) -> str:
    """How to have a VM again at this point of the walk."""
    command = ctx.builddir.command
    if order(ctx.step)[0] < FIRST_BOOT_NUMBER:
        return f"to install again: {command} {INSTALL_STEP} --force"
    return f"to boot the image as it stands: {command} -testoff; then the same command again"


def require_off(ctx: StepContext) -> None:
    status = ctx.vm.status()
    if status.state in ("running", "paused"):
        raise CheckFailed(
            f"the VM is still running (process {status.pid})",
            hint=f"shut Windows down, or stop the VM: {ctx.builddir.command} -kill-kvm",
        )


def wait_for_poweroff(ctx: StepContext, fail: Sequence[str] = ()) -> None:
    """Wait until Windows has powered itself off; a screen in `fail` ends the wait at once.

    Raises GuestTimeout at SHUTDOWNTIMEOUT, VmError if the VM ends in another way.
    """
    if ctx.vm.status().state == "shutdown":
        return
    require_vm(ctx)
    last_look = time.monotonic()

    def look() -> None:
        nonlocal last_look
        if not fail or time.monotonic() - last_look < LOOK_INTERVAL_S:
            return
        sighting = ctx.console.screen.shows(*fail)
        last_look = time.monotonic()
        if sighting:
            raise VmError(
                f"instead of shutting down, Windows shows {sighting.title}",
                hint=go_back_hint(ctx),
            )

    with ctx.ui.progress("waiting for Windows to shut itself down"):
        ctx.vm.wait_for_poweroff(Deadline(ctx.settings.shutdown_timeout_s), on_idle=look)
    check_shut_down_by_guest(ctx)


def is_generalized(ctx: StepContext) -> bool:
    """Whether sysprep has succeeded in the image. Anybody can shut Windows down; this mark is
    left by sysprep alone."""
    image = ctx.builddir.image
    with open_ntfs(image, windows_partition(image)) as volume:
        return volume.exists(SYSPREP_MARK)


def check_shut_down_by_guest(ctx: StepContext) -> None:
    """Raise unless the guest itself powered the VM off; then see that QEMU is gone."""
    status = ctx.vm.status()
    require_off(ctx)
    if status.state != "shutdown":
        raise CheckFailed(
            "Windows has not shut itself down: "
            + ("the VM never ran" if status.state == "none" else f"the VM ended: {status.cause}"),
            hint=go_back_hint(ctx),
        )
    if status.pid is not None:
        # QEMU stays after the guest's power-off, for a last look; nobody needs it now.
        ctx.vm.quit()
