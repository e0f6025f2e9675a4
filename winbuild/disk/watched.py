"""Runs a host program that works for minutes on a large file, showing how far it is."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from winbuild.deadline import Deadline
from winbuild.errors import CommandError, HostError
from winbuild.host import Host
from winbuild.ui import Progress, Ui

_POLL_S = 0.05
_STALL_LIMIT_S = 600.0

Position = Callable[[int], float]
"""Gives, for the program's process id, how far it is, in the unit of the progress."""


def run_watched(
    host: Host,
    argv: Sequence[str | Path],
    *,
    ui: Ui,
    label: str,
    total: float,
    unit: str,
    position: Position,
    stdout: Path | None = None,
) -> None:
    """Run a program to its end; its output goes to the file `stdout`.

    The program ends with winbuild, even if winbuild is killed. Raises CommandError if it fails
    or gets no further for ten minutes.
    """
    # A killed winbuild must not leave a compressor at work, which fills the disk.
    command = ["setpriv", "--pdeathsig", "KILL", host.find(str(argv[0])), *argv[1:]]
    with (
        tempfile.TemporaryDirectory(prefix="winbuild-") as folder,
        ui.progress(label, total, unit) as progress,
    ):
        errors = Path(folder) / "stderr"
        child = host.start(command, stdout=stdout, stderr=errors)
        try:
            stalled = _watch(child.poll, lambda: position(child.pid), progress)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        said = errors.read_text(errors="replace")
    if stalled:
        raise CommandError([*map(str, argv)], None, said)
    if child.returncode != 0:
        full = "No space left on device" in said
        hint = "free some room on that disk, then run the step again" if full else None
        raise CommandError([*map(str, argv)], child.returncode, said, hint=hint)


def _watch(
    poll: Callable[[], int | None], position: Callable[[], float], progress: Progress
) -> bool:
    """Show the progress until the program ends. True if it stood still for too long."""
    done, still = 0.0, Deadline(_STALL_LIMIT_S)
    while poll() is None:
        now = position()
        if now > done:
            progress.advance(now - done)
            done, still = now, Deadline(_STALL_LIMIT_S)
        elif still.passed:
            return True
        time.sleep(_POLL_S)
    return False


def read_position(pid: int, file: Path) -> int:
    """How far process `pid` has read into `file`, in bytes; 0 where it does not have it open."""
    wanted = str(file.resolve())
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(entry.readlink()) == wanted:
                    info = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                    return int(info.split("pos:", 1)[1].split()[0])
    return 0


def compressor(host: Host) -> list[str]:
    """pigz, which uses all processors, or gzip where it is not installed."""
    try:
        return [host.find("pigz"), "-p", str(os.cpu_count() or 1)]
    except HostError:
        return [host.find("gzip")]
