"""The host's TCP ports of a build, by its digit, as in the original tool; and who has a digit.

A digit is claimed by an exclusive flock, whose file descriptor the VM inherits: the claim
lives exactly as long as the VM, and no two VMs of a user can have the same, however closely
they start. Programs of others are found by trying the ports.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from winbuild.errors import HostError
from winbuild.vm.argv import VNC_HOST, VNC_PORT_BASE

DIGITS = range(10)


@dataclass(frozen=True)
class _Rule:
    """Port of the host = base + digit * step; `guest`: the guest's port behind it."""

    base: int
    step: int
    guest: int | None


# 1{UD}389 is 10389 + 1000 * UD, and so on. The original's monitor port is kept free, though
# winbuild's monitor is a unix socket: scripts of users may have a use for it.
_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "rdp": _Rule(10389, 1000, 3389),
        "ssh": _Rule(10022, 1000, 22),
        "misc": _Rule(10123, 1000, 7890),
        "monitor": _Rule(10302, 1000, None),
        "zabbix-agent": _Rule(10050, 100, 10050),
        "zabbix-trapper": _Rule(10051, 100, 10051),
    }
)
VNC = "vnc"


def vnc_display(digit: int) -> int:
    """1{UD}0; the TCP port is 5900 more."""
    return 100 + 10 * digit


def host_ports(digit: int) -> dict[str, int]:
    """All ports of the host that belong to a digit, by purpose."""
    ports = {name: rule.base + digit * rule.step for name, rule in _RULES.items()}
    return ports | {VNC: VNC_PORT_BASE + vnc_display(digit)}


def forwards(digit: int) -> tuple[tuple[int, int], ...]:
    """(port of the host's loopback, port of the guest), for user networking."""
    ports = host_ports(digit)
    return tuple(
        (ports[name], rule.guest) for name, rule in _RULES.items() if rule.guest is not None
    )


@dataclass(frozen=True)
class PortClaim:
    """A digit, and the open lock file that keeps it. To be passed to `start_vm(hold_fds=...)`
    and closed by the caller afterwards."""

    digit: int
    fd: int


def suggest_digit(preferred: int, active_files: Iterable[Path]) -> int:
    """A digit for a new build: the preferred one, or the next that no sibling's `active` file
    names; the preferred one if all are named (the claim at the start decides)."""
    named = set()
    for path in active_files:
        try:
            text = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            continue
        if text.isascii() and text.isdigit():
            named.add(int(text))
    return next((digit for digit in _from(preferred) if digit not in named), preferred)


def claim_digit(preferred: int, holder: Path, *, lock_dir: Path | None = None) -> PortClaim:
    """Claim the preferred digit, or the next that is free.

    `holder` (the run directory) is what others are told. Raises HostError, naming the
    holders, if all ten are taken.
    """
    directory = _private_dir(lock_dir or default_lock_dir())
    reasons = {}
    for digit in _from(preferred):
        claimed = _claim(directory / f"digit-{digit}", holder)
        if isinstance(claimed, str):
            reasons[digit] = f"held by {claimed}"
            continue
        busy = [port for port in host_ports(digit).values() if not _is_free(port)]
        if not busy:
            return PortClaim(digit, claimed)
        os.close(claimed)
        reasons[digit] = f"another program has port {', '.join(map(str, busy))}"
    lines = "".join(f"\n  {digit}: {reason}" for digit, reason in sorted(reasons.items()))
    raise HostError(
        f"all ten sets of ports are taken:{lines}",
        hint="stop a VM: winbuild DIR -kill-kvm",
    )


def default_lock_dir() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "winbuild"
    return Path(f"/tmp/winbuild-{os.getuid()}")


def _from(preferred: int) -> list[int]:
    return [(preferred + offset) % len(DIGITS) for offset in DIGITS]


def _private_dir(path: Path) -> Path:
    """Make the directory; it must be ours alone, since /tmp is everybody's."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as exc:
        raise HostError(f"{path} cannot be made: {exc.strerror}") from exc
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not private or found.st_mode & 0o077:
        raise HostError(
            f"{path} is not a private directory of yours",
            hint=f"remove it, or: chmod 700 {path}",
        )
    return path


def _claim(path: Path, holder: Path) -> int | str:
    """The descriptor of the locked file, or who holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held_by = os.read(fd, 8192).decode(errors="replace").strip()
        os.close(fd)
        return held_by or "another VM"
    os.ftruncate(fd, 0)
    os.pwrite(fd, os.fsencode(holder.absolute()) + b"\n", 0)
    return fd


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As QEMU does it: connections that have just ended do not keep a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((VNC_HOST, port))
            probe.listen(1)
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise HostError(f"port {port} cannot be tried: {exc.strerror}") from exc
    return True
