"""A VM as steps see it. Making the object costs nothing; QEMU is spoken to on demand."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from winbuild.deadline import Deadline
from winbuild.errors import VmError
from winbuild.host import Host
from winbuild.vm import files, qmp
from winbuild.vm.events import EventLog, VmEvent, mark_stopped, restarts
from winbuild.vm.status import (
    HOST_DISK_FAULT,
    HOST_DISK_FULL,
    RUNSTATES,
    VmStatus,
    is_free,
    qemu_pid,
    tail,
    vm_status,
)

__all__ = ["BlockStats", "Vm", "VmEvent", "VmStatus"]

QUIT_LIMIT_S = 10.0
POLL_S = 0.05
QUESTION_INTERVAL_S = 5.0
QUESTION_LIMIT_S = 2.0


@dataclass(frozen=True)
class BlockStats:
    """What the guest has done with a drive since the VM's start."""

    read_bytes: int
    written_bytes: int
    reads: int
    writes: int


class Vm:
    """The VM of a run directory, whether it runs or not."""

    def __init__(self, run_dir: Path, host: Host) -> None:
        self.run_dir = run_dir
        self.host = host
        self._log = EventLog(run_dir / files.EVENTS)

    # -- what has happened (no word to QEMU) ---------------------------------------------

    def status(self) -> VmStatus:
        return vm_status(self.run_dir, self._log)

    def resets(self) -> int:
        """How often the guest has restarted itself since the VM's start."""
        return restarts(self._log.events(), by_guest_only=True)

    def boots(self) -> int:
        """How often the machine has come up: 0 if the VM was never started."""
        events = self._log.events()
        return restarts(events) + 1 if events else 0

    def event_count(self) -> int:
        """A place in the event log, for `wait_event(after=...)`: ask before you act."""
        return len(self._log.events())

    def wait_event(
        self,
        names: str | Iterable[str],
        deadline: Deadline,
        *,
        after: int | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> VmEvent:
        """Wait for one of QEMU's events (RESET, SHUTDOWN ...) and return it.

        Only events after the place `after` count; as it stands: from now on. Raises VmError if the
        VM ends without it, GuestTimeout at the deadline.
        """
        wanted = {names} if isinstance(names, str) else set(names)
        place = self.event_count() if after is None else after
        while True:
            status = self.status()  # before the log is read: QEMU's last events still count
            events = self._log.events()[place:]
            found = next((event for event in events if event.name in wanted), None)
            if found:
                return found
            one_of = " or ".join(sorted(wanted))
            if status.pid is None:
                raise VmError(f"the VM ended ({status.cause}) while waiting for {one_of}")
            deadline.check(f"the VM's event {one_of}")
            if on_idle:
                on_idle()
            time.sleep(POLL_S)

    def wait_for_poweroff(
        self, deadline: Deadline, *, on_idle: Callable[[], None] | None = None
    ) -> VmStatus:
        """Wait until the VM does not run any more, and return how it ended: `shutdown` (the
        guest switched itself off), `crashed` or `none`, with the cause.

        Resets are no end, nor is a pause, unless it is the host's disk that stopped the guest:
        that is a VmError. Raises GuestTimeout at the deadline.
        """
        next_question = Deadline(QUESTION_INTERVAL_S)
        while True:
            status = self.status()
            if next_question.passed:
                status = self._confirmed(status)
                next_question = Deadline(QUESTION_INTERVAL_S)
            if status.state not in ("running", "paused"):
                return status
            if status.cause in (HOST_DISK_FULL, HOST_DISK_FAULT):
                raise VmError(
                    f"the VM stands still: {status.cause}",
                    hint="make room or mend the disk; the VM goes on where it stopped when it "
                    "is resumed",
                )
            deadline.check("the guest to switch itself off")
            if on_idle:
                on_idle()
            time.sleep(POLL_S)

    def _confirmed(self, status: VmStatus) -> VmStatus:
        """The status, corrected by QEMU's own word: on a full disk the event log has gaps."""
        if status.pid is None:
            return status
        try:
            answer = self.query_status(timeout_s=QUESTION_LIMIT_S)["status"]
        except VmError:
            return status  # busy or just gone: the next look will tell
        state, cause = RUNSTATES.get(str(answer), (status.state, status.cause))
        return status if state == status.state else replace(status, state=state, cause=cause)

    def serial_tail(self, n_bytes: int) -> str:
        """The end of what the guest wrote to its serial port; empty if nothing."""
        return tail(self.run_dir / files.SERIAL_LOG, n_bytes)

    # -- what QEMU is asked --------------------------------------------------------------

    def execute(
        self, command: str, *, timeout_s: float = qmp.TIMEOUT_S, **arguments: object
    ) -> Any:
        """Any QMP command (words of argument names are joined by "_" here, "-" there). Raises
        VmError."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        return qmp.execute(self.run_dir, command, named, timeout_s=timeout_s)

    def query_status(self, *, timeout_s: float = qmp.TIMEOUT_S) -> dict[str, Any]:
        """QEMU's own view: {"status": "running" | "paused" | "shutdown" ..., "running": bool}."""
        return cast(dict[str, Any], self.execute("query-status", timeout_s=timeout_s))

    def screendump(self) -> bytes:
        """The guest's screen as a PPM file (P6); also while the VM is paused."""
        # The picture may show passwords, so it gets no name in any file system: QEMU opens the
        # file behind our descriptor, in memory, and nothing is left if winbuild is killed.
        fd = os.memfd_create("winbuild-screen", os.MFD_CLOEXEC)
        with os.fdopen(fd, "rb") as stream:
            self.execute("screendump", filename=f"/proc/{os.getpid()}/fd/{fd}")
            return stream.read()

    def send_input(self, events: Sequence[dict[str, Any]]) -> None:
        """One `input-send-event` with QEMU's InputEvents. Raises VmError if the VM is paused.

        More than 8 plain characters at once overflow the PS/2 keyboard's queue, and press and
        release of a mouse button must come in two calls.
        """
        self.execute("input-send-event", events=list(events))

    def block_stats(self) -> dict[str, BlockStats]:
        """By drive: disk0, disk1 (in the order of VmSpec.disks), cd0, cd1, floppy0."""
        answer = cast(list[dict[str, Any]], self.execute("query-blockstats"))
        return {
            entry["node-name"]: BlockStats(
                read_bytes=entry["stats"]["rd_bytes"],
                written_bytes=entry["stats"]["wr_bytes"],
                reads=entry["stats"]["rd_operations"],
                writes=entry["stats"]["wr_operations"],
            )
            for entry in answer
            if entry.get("node-name")
        }

    def pause(self) -> None:
        self.execute("stop")

    def resume(self) -> None:
        self.execute("cont")

    # -- the end -------------------------------------------------------------------------

    def quit(self) -> None:
        """End QEMU in an orderly way, with images flushed; nothing if it is gone already.

        A guest that had switched itself off stays `shutdown`; else the cause is from now on
        "stopped by winbuild". Kills QEMU if it does not answer.
        """
        if qemu_pid(self.run_dir) is None:
            return
        self._note_stop()
        # The answer may get lost with the connection; what counts is that QEMU goes.
        with suppress(VmError):
            self.execute("quit", timeout_s=QUIT_LIMIT_S)
        if not self._gone(Deadline(QUIT_LIMIT_S)):
            self.kill()

    def kill(self) -> None:
        """End QEMU by SIGTERM, then by SIGKILL; nothing if it is gone already.

        Raises VmError if the kernel does not let it go even then.
        """
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            if not self._signal(signal_number) or self._gone(Deadline(QUIT_LIMIT_S)):
                return
        pid = qemu_pid(self.run_dir)
        if pid is not None:
            raise VmError(f"QEMU (process {pid}) cannot be ended: it hangs in the kernel")

    def _signal(self, signal_number: signal.Signals) -> bool:
        """Whether there was a QEMU of ours to send it to."""
        pid = qemu_pid(self.run_dir)
        if pid is None:
            return False
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            # With the descriptor in hand the pid cannot become another process: look again.
            if qemu_pid(self.run_dir) != pid:
                return False
            self._note_stop()
            signal.pidfd_send_signal(fd, signal_number)
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)
        return True

    def _note_stop(self) -> None:
        # On a full disk the VM must still be stoppable, even if "by whom" gets lost.
        with suppress(OSError):
            mark_stopped(self.run_dir / files.EVENTS)

    def _gone(self, limit: Deadline) -> bool:
        """Wait until QEMU and its watcher are gone, or the limit."""
        while not limit.passed:
            if qemu_pid(self.run_dir) is None and is_free(self.run_dir):
                return True
            time.sleep(0.01)
        return False
