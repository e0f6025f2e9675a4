"""Starts QEMU so that nothing of winbuild has to stay alive beside it.

A few lines of shell are QEMU's parent: they write its pid, and at its end how it ended, which
only a parent can learn. Both keep the run directory's lock open, and what else is to be held
for as long as the VM lives (`hold_fds`).
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import re
import shlex
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.deadline import Deadline
from winbuild.errors import VmError
from winbuild.host import Host
from winbuild.vm import files
from winbuild.vm.argv import qemu_argv, vnc_address
from winbuild.vm.events import begin_log
from winbuild.vm.qmp import NotAnswering
from winbuild.vm.spec import VmSpec, can_direct_io
from winbuild.vm.status import qemu_pid, stderr_tail
from winbuild.vm.vm import Vm

# QEMU answers its monitor when the machine is complete: 0.2 s here, more on a busy host.
ANSWER_LIMIT_S = 60.0
STDERR_LINES = 10

_FAULTS = Path(__file__).with_name("startup_faults.toml")

# Arguments: number of the pipe with the event monitor's first command, then QEMU's command. The
# pipe is opened for writing too, so that it never ends. The signals are ignored only after
# QEMU's start, so that it does not inherit this.
_WATCHER = f"""\
umask 077
commands=$1; shift
(
  "$@" <>"/dev/fd/$commands" &
  pid=$!
  trap '' HUP INT TERM
  echo "$pid" >.{files.PID}.partial && mv .{files.PID}.partial {files.PID}
  wait "$pid"
  echo "$?" >.{files.EXIT}.partial && mv .{files.EXIT}.partial {files.EXIT}
  rm -f {files.PID} {files.MONITOR} {files.SERIAL}
) &
"""


def start_vm(host: Host, run_dir: Path, spec: VmSpec, *, hold_fds: Sequence[int] = ()) -> Vm:
    """Start a VM; return once it runs and answers.

    Raises HostError if QEMU is not installed; VmError if a VM of this directory is there
    already, an image is missing or in use, or QEMU ends instead of answering (then with the end
    of its stderr). `hold_fds` stay open in QEMU and its watcher; the caller closes its own.
    """
    spec = replace(spec, binary=host.find(spec.binary))
    try:
        with _lock(run_dir) as lock_fd:
            spec = _fitted(host, run_dir, spec)
            argv = qemu_argv(spec)
            _prepare(run_dir, spec, argv)
            _start_detached(host, run_dir, argv, (lock_fd, *hold_fds))
    except OSError as exc:
        raise VmError(f"the VM cannot be started: {exc.strerror}: {exc.filename}") from exc
    vm = Vm(run_dir, host)
    _wait_for_answer(vm)
    return vm


def _prepare(run_dir: Path, spec: VmSpec, argv: list[str]) -> None:
    """Clear away what an earlier VM left, and write down what is going to be started."""
    _clear_away(run_dir)
    if spec.nic.pcap:
        _keep_previous(run_dir / spec.nic.pcap)
    write_atomic(run_dir / files.VNC, vnc_address(spec) + "\n")
    timestamp = dt.datetime.now().strftime("%y%m%d-%H%M%S")
    write_atomic(files.boot_command(run_dir, timestamp), shlex.join(argv) + "\n")
    begin_log(run_dir / files.EVENTS)


@contextmanager
def _lock(run_dir: Path) -> Iterator[int]:
    fd = os.open(run_dir / files.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # A look at the status holds the lock for an instant, and a watcher may be about to go.
        patience = Deadline(1.0)
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                pid = qemu_pid(run_dir)
                if pid is not None or patience.passed:
                    raise VmError(
                        f"a VM of {run_dir} is there already"
                        + (f" (process {pid})" if pid is not None else ""),
                        hint=f"to stop it: winbuild {shlex.quote(str(run_dir))} -kill-kvm",
                    ) from exc
                time.sleep(0.02)
        yield fd
    finally:
        # Not unlocked: the lock is QEMU's now, through the copy that it inherited.
        os.close(fd)


def _fitted(host: Host, run_dir: Path, spec: VmSpec) -> VmSpec:
    """The spec with what only a look at this host can tell."""
    for path in (*(disk.path for disk in spec.disks), *spec.cdroms, *_optional(spec.floppy)):
        if not (run_dir / path).exists():
            raise VmError(f"the VM cannot be started: there is no file {run_dir / path}")
    disks = tuple(
        replace(disk, direct_io=disk.direct_io and can_direct_io(run_dir / disk.path))
        for disk in spec.disks
    )
    return replace(spec, disks=disks, machine=pinned_machine(host, spec.binary, spec.machine))


def _optional(path: Path | None) -> tuple[Path, ...]:
    return () if path is None else (path,)


def pinned_machine(host: Host, binary: str, alias: str = "pc") -> str:
    """The full name of a machine type: "pc" → "pc-i440fx-7.2" (QEMU 7.2). A full name is returned
    as it is. What is behind the alias changes with QEMU's version, and with it the
    hardware that Windows sees."""
    listing = host.run([binary, "-machine", "help"], timeout_s=30).text
    found = re.search(rf"^{re.escape(alias)}\s.*\(alias of ([^)\s]+)\)", listing, re.MULTILINE)
    return found[1] if found else alias


def _clear_away(run_dir: Path) -> None:
    stale = (files.PID, files.EXIT, files.MONITOR, files.SERIAL, files.SERIAL_LOG)
    output = (files.STDOUT, files.STDERR)
    for name in (*stale, *output):
        (run_dir / name).unlink(missing_ok=True)
    for name in output:
        (run_dir / name).touch(mode=0o600)


def _keep_previous(packets: Path) -> None:
    """Rename a packet dump of an earlier boot: its time (of the last packet) is added."""
    with suppress(FileNotFoundError):
        changed = dt.datetime.fromtimestamp(packets.stat().st_mtime)
        packets.rename(packets.with_name(f"{packets.name}-{changed:%y%m%d-%H%M%S}"))


def _start_detached(host: Host, run_dir: Path, argv: list[str], hold_fds: Sequence[int]) -> None:
    commands, writer = os.pipe()
    try:
        os.write(writer, b'{"execute": "qmp_capabilities"}\n')
        shell = host.start(
            ["sh", "-c", _WATCHER, "winbuild-vm", str(commands), *argv],
            stdout=run_dir / files.STDOUT,
            stderr=run_dir / files.STDERR,
            cwd=run_dir,
            pass_fds=(commands, *hold_fds),
            detached=True,
        )
        # It puts the watcher into the background and ends.
        shell.wait()
    finally:
        os.close(commands)
        os.close(writer)


def _wait_for_answer(vm: Vm) -> None:
    deadline = Deadline(ANSWER_LIMIT_S)
    while True:
        try:
            vm.query_status(timeout_s=max(0.1, deadline.remaining))
            return
        except NotAnswering as exc:
            status = vm.status()
            if status.pid is None and status.state in ("crashed", "none"):
                raise _start_failure(vm.run_dir, status.cause) from exc
            if deadline.passed:
                vm.kill()
                raise VmError(
                    f"QEMU was started but did not answer within {ANSWER_LIMIT_S:.0f} s; "
                    "it has been stopped",
                    log=vm.run_dir / files.STDERR,
                ) from exc
        time.sleep(0.01)


def _start_failure(run_dir: Path, cause: str) -> VmError:
    said = stderr_tail(run_dir)
    failure = partial(VmError, log=run_dir / files.STDERR)
    for fault in tomllib.loads(_FAULTS.read_text())["fault"]:
        if re.search(fault["says"], said):
            return failure(
                f"the VM could not be started: {fault['means']}{_indented(said)}",
                hint=fault["remedy"],
            )
    return failure(f"QEMU ended right after its start: {_indented(said) or cause}")


def _indented(said: str) -> str:
    return "".join(f"\n  {line}" for line in said.splitlines()[-STDERR_LINES:])
