"""The words about the VM: -screenshot, -screen, -test, -testoff, -pw, -kill-kvm, -cleanup."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from winbuild import boots, disk_commands, evidence, first_boot
from winbuild.atomic import PARTIAL_SUFFIX
from winbuild.errors import VmError
from winbuild.session import Session
from winbuild.vm import ports


def screenshot(session: Session) -> Path:
    """Save the VM's screen as screendump-TIME.png in the build directory."""
    _require_screen(session)
    builddir = session.builddir
    stamp = dt.datetime.now().strftime("%y%m%d-%H%M%S")
    path = builddir.file(f"screendump-{stamp}.png")
    evidence.save_screenshot(session.context(), path)
    return path


def describe_screen(session: Session) -> str:
    """What the VM's screen shows, in words."""
    _require_screen(session)
    return session.console.screen.describe()


def _require_screen(session: Session) -> None:
    if session.vm.status().pid is None:
        raise VmError(
            "the VM does not run, so there is no screen", hint=f"see: {session.builddir.command}"
        )


def test_boot(session: Session, *, network: bool = True) -> Mapping[str, str]:
    """Boot the image as it stands; returns what is forwarded to where."""
    builddir = session.builddir
    with builddir.lock("-test" if network else "-testoff"):
        ctx = session.context()
        boots.release_disk(ctx)
        boots.boot_test(ctx, network=network)
    digit = builddir.digit
    if not network or digit is None:
        return {}
    open_ports = {port for port, _ in ports.forwards(digit)}
    return {
        name: f"127.0.0.1:{port}"
        for name, port in ports.host_ports(digit).items()
        if port in open_ports
    }


def fetch_password(session: Session) -> str:
    """The password that the guest set last."""
    return first_boot.password(session.builddir)


def kill(session: Session) -> str:
    """Stop the VM at once."""
    status = session.vm.status()
    if status.pid is None:
        return "the VM does not run"
    session.vm.kill()
    return f"stopped the VM (process {status.pid})"


def cleanup(session: Session) -> list[str]:
    """Unmount, stop the VM, remove half-made files. Returns what was done, a line each."""
    builddir = session.builddir
    with builddir.lock("-cleanup"):
        lines = [f"unmounted {path}" for path in disk_commands.unmount(session)]
        lines.append(kill(session))
        for path in sorted(builddir.path.rglob(f".*{PARTIAL_SUFFIX}")):
            path.unlink()
            lines.append(f"removed the half-made {path.name.removesuffix(PARTIAL_SUFFIX)[1:]}")
    return lines
