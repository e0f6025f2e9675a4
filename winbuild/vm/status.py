"""What has become of a VM: told from its files and /proc alone, with no word to QEMU.

States: `running`, `paused`, `shutdown` (the guest switched itself off, whether QEMU is still
there or not), `crashed` (killed, crashed or panicked), `none` (never started here, or stopped
by somebody who meant it). `cause` says more, in words that fit into a sentence.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from winbuild.vm import files
from winbuild.vm.events import STARTED, STOPPED, EventLog, VmEvent, host_boot_id

State = Literal["running", "paused", "shutdown", "crashed", "none"]

GUEST_SHUTDOWN = "guest-shutdown"
PANICKED = "panicked"
BY_WINBUILD = "stopped by winbuild"
BY_MONITOR = "stopped through its monitor"
HOST_DISK_FULL = "the host's disk is full"
HOST_DISK_FAULT = "reading or writing an image failed on the host"

# States that QEMU's query-status tells (RunState) and that need no guessing.
RUNSTATES: dict[str, tuple[State, str]] = {
    "shutdown": ("shutdown", GUEST_SHUTDOWN),
    "guest-panicked": ("crashed", PANICKED),
    "internal-error": ("crashed", "QEMU could not go on (internal-error)"),
    "io-error": ("paused", HOST_DISK_FAULT),
}

STDERR_TAIL_BYTES = 4096
# Between QEMU's end and the watcher's note of how it ended lie some milliseconds.
_SETTLING_S = 1.0


@dataclass(frozen=True)
class VmStatus:
    """`pid`: QEMU's, while it exists. `vnc`: HOST:PORT, while it exists. `since`: when the
    state began, seconds since the epoch."""

    state: State
    pid: int | None = None
    vnc: str | None = None
    since: float | None = None
    cause: str = ""


@dataclass(frozen=True)
class Story:
    """What the event log tells; `ended_by` is the reason of a SHUTDOWN that was not the guest's."""

    state: State = "none"
    cause: str = ""
    since: float | None = None
    boot_id: str = ""
    ended_by: str = ""
    stopped_at: float | None = None
    disk_fault: str = ""


def _started(story: Story, event: VmEvent) -> Story:
    boot_id = str(event.details.get("boot_id", ""))
    return Story(state="running", since=event.time_s, boot_id=boot_id)


def _stopped_by_winbuild(story: Story, event: VmEvent) -> Story:
    return replace(story, stopped_at=event.time_s)


def _paused(story: Story, event: VmEvent) -> Story:
    if story.state != "running":
        return story  # the STOP that follows a power-off or a panic
    return replace(story, state="paused", cause=story.disk_fault, since=event.time_s)


def _resumed(story: Story, event: VmEvent) -> Story:
    return replace(story, state="running", cause="", since=event.time_s, disk_fault="")


def _reset(story: Story, event: VmEvent) -> Story:
    if story.state in ("shutdown", "crashed"):
        return replace(story, state="paused", cause="", since=event.time_s)
    return story


def _shut_down(story: Story, event: VmEvent) -> Story:
    if not event.details.get("guest"):
        return replace(story, ended_by=str(event.details.get("reason", "")))
    return replace(story, state="shutdown", cause=GUEST_SHUTDOWN, since=event.time_s)


def _panicked(story: Story, event: VmEvent) -> Story:
    return replace(story, state="crashed", cause=PANICKED, since=event.time_s)


def _disk_fault(story: Story, event: VmEvent) -> Story:
    if event.details.get("action") != "stop":
        return story  # the guest got the error, or nobody did: it runs on
    fault = HOST_DISK_FULL if event.details.get("nospace") else HOST_DISK_FAULT
    return replace(story, disk_fault=fault)


_TELLS: dict[str, Callable[[Story, VmEvent], Story]] = {
    STARTED: _started,
    STOPPED: _stopped_by_winbuild,
    "STOP": _paused,
    "RESUME": _resumed,
    "RESET": _reset,
    "SHUTDOWN": _shut_down,
    "GUEST_PANICKED": _panicked,
    "BLOCK_IO_ERROR": _disk_fault,
}


def tell(events: Sequence[VmEvent]) -> Story:
    story = Story()
    for event in events:
        rule = _TELLS.get(event.name)
        if rule:
            story = rule(story, event)
    return story


def vm_status(run_dir: Path, log: EventLog | None = None) -> VmStatus:
    """Answers in some milliseconds; up to a second if QEMU is ending at this very moment."""
    log = log or EventLog(run_dir / files.EVENTS)
    pid, exit_code = _settled(run_dir)
    story = tell(log.events())
    if pid is not None:
        state: State = "running" if story.state == "none" else story.state
        vnc = _text(run_dir / files.VNC) or None
        return VmStatus(state, pid, vnc, story.since, story.cause)
    if story.state in ("none", "shutdown", "crashed"):
        return VmStatus(story.state, since=story.since, cause=story.cause)
    if story.stopped_at is not None:
        return VmStatus("none", since=story.stopped_at, cause=BY_WINBUILD)
    if story.ended_by in ("host-qmp-quit", "host-ui"):
        return VmStatus("none", since=_changed(run_dir / files.EVENTS), cause=BY_MONITOR)
    ended = run_dir / (files.EVENTS if exit_code is None else files.EXIT)
    return VmStatus("crashed", since=_changed(ended), cause=_crash(run_dir, story, exit_code))


def _settled(run_dir: Path) -> tuple[int | None, int | None]:
    """(QEMU's pid, None) or (None, its exit code if there is one)."""
    give_up = time.monotonic() + _SETTLING_S
    while True:
        # The order matters: the watcher writes the exit code first, then removes the pid.
        pid = qemu_pid(run_dir)
        if pid is not None:
            return pid, None
        exit_code = _number(run_dir / files.EXIT)
        if exit_code is not None or is_free(run_dir) or time.monotonic() > give_up:
            return None, exit_code
        time.sleep(0.005)


def _crash(run_dir: Path, story: Story, exit_code: int | None) -> str:
    said = stderr_tail(run_dir)
    if story.ended_by == "host-signal":
        signal = re.search(r"terminating on signal (\d+)", said)
        return f"killed by signal {signal[1]}" if signal else "killed by a signal"
    if exit_code is not None and exit_code > 128:
        return f"killed by signal {exit_code - 128}"
    if exit_code is not None:
        last = said.splitlines()[-1].strip() if said else ""
        return f"QEMU ended with exit code {exit_code}" + (f": {last}" if last else "")
    if story.boot_id != host_boot_id():
        return "the host was restarted"
    return "QEMU is gone, and nothing was left to note how it ended"


def qemu_pid(run_dir: Path) -> int | None:
    """Pid of this directory's QEMU, if it is alive.

    A number in the pid file proves nothing, since the kernel uses numbers again: the process must
    have this very directory as its working directory, and our event log among its arguments.
    """
    pid = _number(run_dir / files.PID)
    if pid is None:
        return None
    proc = Path(f"/proc/{pid}")
    try:
        if not os.path.samestat((proc / "cwd").stat(), run_dir.stat()):
            return None
        ours = files.EVENTS.encode() in (proc / "cmdline").read_bytes()
    except OSError:
        return None
    return pid if ours else None


def is_free(run_dir: Path) -> bool:
    """Whether no QEMU and no watcher of one holds this directory."""
    try:
        fd = os.open(run_dir / files.LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def stderr_tail(run_dir: Path) -> str:
    """The end of what QEMU said on its standard error, at most 4 KiB."""
    return tail(run_dir / files.STDERR, STDERR_TAIL_BYTES).strip()


def tail(path: Path, size_bytes: int) -> str:
    """The end of a text file; empty if it does not exist."""
    try:
        with path.open("rb") as stream:
            length = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, length - size_bytes))
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isascii() and text.isdigit() else None


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
