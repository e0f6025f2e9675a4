"""The story that files tell when no process is left (the living ones are in tests/real)."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from pathlib import Path

import pytest

from winbuild.vm import files
from winbuild.vm.events import STARTED, STOPPED, VmEvent, begin_log, host_boot_id
from winbuild.vm.status import VmStatus, tell, vm_status

OFF = ("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"})
QUIT = ("SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"})
SIGNAL = ("SHUTDOWN", {"guest": False, "reason": "host-signal"})
PANIC = ("GUEST_PANICKED", {"action": "pause"})
STOP, RESUME = ("STOP", {}), ("RESUME", {})
RESET = ("RESET", {"guest": True, "reason": "guest-reset"})
NO_SPACE = ("BLOCK_IO_ERROR", {"action": "stop", "nospace": True})
FAULT = ("BLOCK_IO_ERROR", {"action": "stop", "nospace": False})
REPORTED = ("BLOCK_IO_ERROR", {"action": "report", "nospace": False})

What = tuple[str, dict[str, object]]


def events(*what: What, boot_id: str | None = None) -> list[VmEvent]:
    start = VmEvent(STARTED, 100.0, {"boot_id": boot_id or host_boot_id()})
    return [start, *(VmEvent(name, 101.0 + n, extra) for n, (name, extra) in enumerate(what))]


def write(run_dir: Path, found: list[VmEvent], exit_code: int | None = None) -> None:
    lines = [
        json.dumps(
            {
                "timestamp": {"seconds": int(event.time_s), "microseconds": 0},
                "event": event.name,
                "data": dict(event.details),
            }
        )
        for event in found
    ]
    (run_dir / files.EVENTS).write_text("\n".join(lines) + "\n")
    if exit_code is not None:
        (run_dir / files.EXIT).write_text(f"{exit_code}\n")


@pytest.mark.parametrize(
    ("what", "state", "cause", "since"),
    [
        ([], "running", "", 100),
        ([RESET, RESET], "running", "", 100),
        ([STOP], "paused", "", 101),
        ([STOP, RESUME], "running", "", 102),
        ([OFF, STOP], "shutdown", "guest-shutdown", 101),
        ([OFF, STOP, RESET], "paused", "", 103),
        ([OFF, STOP, RESET, RESUME], "running", "", 104),
        ([PANIC, STOP], "crashed", "panicked", 101),
        ([NO_SPACE, STOP], "paused", "the host's disk is full", 102),
        ([FAULT, STOP], "paused", "reading or writing an image failed on the host", 102),
        ([NO_SPACE, STOP, RESUME, STOP], "paused", "", 104),
        ([REPORTED, STOP], "paused", "", 102),
        ([("VNC_CONNECTED", {}), ("RTC_CHANGE", {})], "running", "", 100),
    ],
)
def test_the_story(what: list[What], state: str, cause: str, since: float) -> None:
    story = tell(events(*what))
    assert (story.state, story.cause, story.since) == (state, cause, since)


@pytest.mark.parametrize(
    ("what", "exit_code", "state", "cause"),
    [
        ([OFF, STOP, (STOPPED, {}), QUIT], 0, "shutdown", "guest-shutdown"),
        ([OFF, STOP], 137, "shutdown", "guest-shutdown"),
        ([PANIC, STOP, (STOPPED, {}), QUIT], 0, "crashed", "panicked"),
        ([(STOPPED, {}), QUIT], 0, "none", "stopped by winbuild"),
        ([(STOPPED, {})], 137, "none", "stopped by winbuild"),
        ([QUIT], 0, "none", "stopped through its monitor"),
        ([SIGNAL], 0, "crashed", "killed by signal 15"),
        ([], 139, "crashed", "killed by signal 11"),
        ([STOP], 1, "crashed", "QEMU ended with exit code 1: last words"),
        ([], None, "crashed", "QEMU is gone, and nothing was left to note how it ended"),
    ],
)
def test_after_the_end(
    tmp_path: Path, what: list[What], exit_code: int | None, state: str, cause: str
) -> None:
    write(tmp_path, events(*what), exit_code)
    said = "first\nqemu: terminating on signal 15 from pid 1 (x)\nlast words\n"
    (tmp_path / files.STDERR).write_text(said)
    status = vm_status(tmp_path)
    assert (status.state, status.cause, status.pid) == (state, cause, None)
    assert status.since is not None


def test_a_restart_of_the_host(tmp_path: Path) -> None:
    write(tmp_path, events(boot_id="an earlier one"))
    (tmp_path / files.PID).write_text("1\n")
    assert vm_status(tmp_path).cause == "the host was restarted"


def test_a_restart_of_the_host_after_the_guests_power_off(tmp_path: Path) -> None:
    write(tmp_path, events(OFF, STOP, boot_id="an earlier one"))
    assert vm_status(tmp_path).cause == "guest-shutdown"


def test_never_started(tmp_path: Path) -> None:
    assert vm_status(tmp_path) == VmStatus("none")
    assert vm_status(tmp_path / "missing") == VmStatus("none")


@pytest.mark.parametrize("garbage", ["", "-1", "x", "4" * 50, "٣", "1 2"])
def test_garbage_in_the_pid_file(tmp_path: Path, garbage: str) -> None:
    (tmp_path / files.PID).write_text(garbage)
    (tmp_path / files.EVENTS).write_bytes(b"\xff\xfe\n{}\n")
    assert vm_status(tmp_path) == VmStatus("none")


def test_an_end_at_this_very_moment_is_waited_for(tmp_path: Path) -> None:
    """QEMU is gone, but its watcher (which holds the lock) has not noted it yet."""
    begin_log(tmp_path / files.EVENTS)
    fd = os.open(tmp_path / files.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)

    def note() -> None:
        time.sleep(0.1)
        (tmp_path / files.EXIT).write_text("137\n")

    watcher = threading.Thread(target=note)
    watcher.start()
    assert vm_status(tmp_path).cause == "killed by signal 9"
    watcher.join()
    os.close(fd)
