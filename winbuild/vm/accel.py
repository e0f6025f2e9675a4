"""Whether KVM really works here: proved by running a guest, not by looking for /dev/kvm.

The guest is a boot sector that ends QEMU with a certain exit code. It runs with the very options
that a VM of winbuild gets, under a hard limit: there are hosts where QEMU with KVM dies, hangs for
ever, or is many times slower than without. The verdict is kept until the host restarts or
QEMU changes.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from winbuild.atomic import write_atomic
from winbuild.deadline import Deadline
from winbuild.errors import HostError
from winbuild.host import Host
from winbuild.vm.argv import acceleration_argv
from winbuild.vm.events import host_boot_id
from winbuild.vm.spec import Accel

KVM_DEVICE = Path("/dev/kvm")
PROBE_LIMIT_S = 5.0
# A start under KVM takes some 0.1 s. One that takes longer than this has to show that it is
# quicker than emulation (0.2 s where this was written, against 5.1 s with an unfit KVM).
SUSPICIOUS_S = 1.0

# mov dx, 0x501; mov al, 0x10; out dx, al; hlt; jmp -3. The device isa-debug-exit at that
# port makes QEMU end with 2 * 0x10 + 1.
_SECTOR = bytes.fromhex("ba0105 b010 ee f4 ebfd").ljust(510, b"\0") + b"\x55\xaa"
_EXIT_CODE = 2 * 0x10 + 1
_FLOPPY_BYTES = 1440 << 10


@dataclass(frozen=True)
class AccelChoice:
    accel: Accel
    reason: str


@dataclass(frozen=True)
class Verdict:
    """`works`: the guest ran. `worthwhile`: and quicker than without KVM."""

    works: bool
    worthwhile: bool
    reason: str


@dataclass(frozen=True)
class _Run:
    """`seconds` None: it did not end properly, `failure` says how."""

    seconds: float | None
    failure: str = ""


def choose_accel(
    host: Host,
    setting: Literal["auto", "kvm", "tcg"],
    *,
    binary: str = "qemu-system-x86_64",
    device: Path = KVM_DEVICE,
    cache_dir: Path | None = None,
) -> AccelChoice:
    """Decide between KVM and emulation (TCG).

    "auto" takes KVM if it is proved to work and to be worthwhile; the first time that takes up
    to 6 seconds. "kvm" insists on it: HostError if it does not work, which is tried anew if it
    failed before.
    """
    if setting == "tcg":
        return AccelChoice("tcg", "demanded by the setting ACCEL")
    verdict = _obstacle(device) or _proof(host, binary, cache_dir, anew=setting == "kvm")
    if setting == "auto":
        return AccelChoice("kvm" if verdict.worthwhile else "tcg", verdict.reason)
    if not verdict.works:
        raise HostError(
            f"KVM is demanded but cannot be used: {verdict.reason}",
            hint="set ACCEL=tcg (or auto) to go without it, which is slower",
        )
    return AccelChoice("kvm", verdict.reason)


def _obstacle(device: Path) -> Verdict | None:
    """What can be seen without trying; looked at every time, since a person can mend it."""
    if not device.exists():
        return Verdict(False, False, f"this host has no {device}")
    if not os.access(device, os.R_OK | os.W_OK):
        return Verdict(
            False, False, f"no permission for {device} (sudo adduser $USER kvm, then log in again)"
        )
    return None


# -- the verdict is kept ---------------------------------------------------------------------


def _proof(host: Host, binary: str, cache_dir: Path | None, *, anew: bool) -> Verdict:
    program = Path(host.find(binary))
    found = program.stat()
    circumstances = {
        "boot_id": host_boot_id(),
        "qemu": [str(program), found.st_mtime_ns, found.st_size],
        "options": acceleration_argv("kvm"),
    }
    path = (cache_dir or _default_cache_dir()) / "kvm-verdict.json"
    known = _recall(path, circumstances)
    if known and (known.works or not anew):
        return known
    verdict = prove_kvm(host, binary)
    # A home that cannot be written to costs a few seconds the next time, nothing else.
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = {"circumstances": circumstances, "verdict": asdict(verdict)}
        write_atomic(path, json.dumps(kept, indent=2) + "\n")
    return verdict


def _recall(path: Path, circumstances: Mapping[str, object]) -> Verdict | None:
    try:
        kept = json.loads(path.read_bytes())
        if kept["circumstances"] != circumstances:
            return None
        fields = kept["verdict"]
        return Verdict(bool(fields["works"]), bool(fields["worthwhile"]), str(fields["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _default_cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "winbuild"


# -- the proof -------------------------------------------------------------------------------


def prove_kvm(host: Host, binary: str, *, limit_s: float = PROBE_LIMIT_S) -> Verdict:
    """Run the tiny guest with KVM; if that takes long, without KVM too."""
    with_kvm = _run_guest(host, binary, "kvm", limit_s)
    if with_kvm.seconds is None:
        return Verdict(False, False, f"KVM does not work here: {with_kvm.failure}")
    took = f"a tiny guest ran in {with_kvm.seconds:.1f} s"
    if with_kvm.seconds < SUSPICIOUS_S:
        return Verdict(True, True, f"KVM works: {took}")
    without = _run_guest(host, binary, "tcg", limit_s)
    if without.seconds is None or with_kvm.seconds < without.seconds:
        return Verdict(True, True, f"KVM works: {took}")
    return Verdict(
        True,
        False,
        f"KVM works but is slower than emulation here: {took}, without KVM in "
        f"{without.seconds:.1f} s",
    )


def _run_guest(host: Host, binary: str, accel: Accel, limit_s: float) -> _Run:
    with tempfile.TemporaryDirectory(prefix="winbuild-kvm-") as name:
        folder = Path(name)
        (folder / "floppy.img").write_bytes(_SECTOR.ljust(_FLOPPY_BYTES, b"\0"))
        stderr = folder / "stderr"
        started = time.monotonic()
        qemu = host.start(_probe_argv(binary, accel), stderr=stderr, cwd=folder, detached=True)
        exit_code = _exit_code(qemu, Deadline(limit_s))
        seconds = time.monotonic() - started
        if exit_code == _EXIT_CODE:
            return _Run(seconds)
        if exit_code is None:
            return _Run(None, f"a tiny guest did not get anywhere within {limit_s:.0f} s")
        return _Run(None, _complaint(stderr.read_text(errors="replace"), exit_code))


def _probe_argv(binary: str, accel: Accel) -> list[str]:
    return [
        binary,
        *("-no-user-config", "-nodefaults", "-display", "none"),
        *("-machine", "pc", "-m", "16M", "-smp", "2"),
        *acceleration_argv(accel),
        *("-drive", "if=floppy,format=raw,read-only=on,file=floppy.img"),
        *("-device", "isa-debug-exit,iobase=0x501,iosize=1"),
    ]


def _exit_code(qemu: subprocess.Popen[bytes], deadline: Deadline) -> int | None:
    """QEMU's exit code, None if it does not end in time. It is killed then, but not waited for:
    one that hangs in the kernel may never go."""
    try:
        while not deadline.passed:
            if qemu.poll() is not None:
                return qemu.returncode
            time.sleep(0.01)
        return None
    finally:
        if qemu.poll() is None:
            qemu.kill()
            patience = Deadline(0.5)
            while qemu.poll() is None and not patience.passed:
                time.sleep(0.01)


def _complaint(stderr: str, exit_code: int) -> str:
    """The first line that is more than a warning."""
    lines = [line.strip() for line in stderr.splitlines() if "warning:" not in line]
    how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    first = next((line for line in lines if line), "it said nothing")
    return f"QEMU ended with {how}: {first}"
