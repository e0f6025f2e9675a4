"""The event log of a VM: what QEMU reported, one JSON object a line, and winbuild's marks.

QEMU appends every event for as long as it lives (the second monitor in `argv.py`); winbuild
adds two lines of its own, WINBUILD_START and WINBUILD_QUIT. A line that is not an event (the
monitor's greeting) or not finished yet is passed over.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winbuild.atomic import write_atomic

STARTED = "WINBUILD_START"  # data: boot_id of the host
STOPPED = "WINBUILD_QUIT"

# The guest's firmware resets once more by itself: 2 to 5 events 20 to 50 ms apart were seen for
# one restart, and a busy host stretches that. No operating system comes up within a second.
ONE_RESET_S = 1.0


@dataclass(frozen=True)
class VmEvent:
    """`time_s`: seconds since the epoch. `details`: the event's "data"."""

    name: str
    time_s: float
    details: Mapping[str, Any] = field(default_factory=dict)


def parse_event(line: bytes) -> VmEvent | None:
    try:
        found = json.loads(line)
        stamp = found["timestamp"]
        time_s = float(stamp["seconds"]) + float(stamp["microseconds"]) / 1e6
        details = found.get("data", {})
        if not isinstance(details, dict):
            return None
        return VmEvent(str(found["event"]), time_s, details)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


class EventLog:
    """Reads the log; what was read once is not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self._events: list[VmEvent] = []

    def events(self) -> list[VmEvent]:
        """All events since the VM's start; empty if there has been none."""
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            return []
        with stream:
            found = os.fstat(stream.fileno())
            if found.st_ino != self._inode or found.st_size < self._offset:
                self._inode, self._offset, self._events = found.st_ino, 0, []
            if found.st_size > self._offset:
                stream.seek(self._offset)
                whole = stream.read().rpartition(b"\n")[0]
                if whole:
                    self._offset += len(whole) + 1
                    parsed = map(parse_event, whole.split(b"\n"))
                    self._events += [event for event in parsed if event]
        return list(self._events)


def begin_log(path: Path) -> None:
    """Begin a VM's log anew. Raises OSError."""
    write_atomic(path, _mark(STARTED, {"boot_id": host_boot_id()}), mode=0o600)


def mark_stopped(path: Path) -> None:
    """Note that it is winbuild who ends QEMU. Raises OSError."""
    # One write with O_APPEND, as QEMU does it: lines of two writers do not mix.
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, _mark(STOPPED, {}))
    finally:
        os.close(fd)


def _mark(name: str, details: Mapping[str, Any]) -> bytes:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    stamp = {"seconds": seconds, "microseconds": nanoseconds // 1000}
    return json.dumps({"timestamp": stamp, "event": name, "data": details}).encode() + b"\n"


def host_boot_id() -> str:
    """A name for this run of the host's kernel: another one after each restart."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def restarts(events: Iterable[VmEvent], *, by_guest_only: bool = False) -> int:
    """How often the machine was reset; events within `ONE_RESET_S` are one reset.

    `by_guest_only` leaves out those asked for through the monitor.
    """
    count = 0
    last_counted = float("-inf")
    for event in events:
        if event.name != "RESET" or (by_guest_only and not event.details.get("guest")):
            continue
        # A clock of the host that is set back must not hide resets: hence the absolute value.
        if abs(event.time_s - last_counted) >= ONE_RESET_S:
            count += 1
            last_counted = event.time_s
    return count
