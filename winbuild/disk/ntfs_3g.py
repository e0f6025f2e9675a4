"""Runs the programs of ntfs-3g, whose first line of complaint says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from winbuild.errors import DiskError
from winbuild.host import Host

_TIMEOUT_S = 120.0


class NtfsToolFailed(DiskError):
    """The message is what the program said first: what follows is advice for other cases."""


def run_ntfs_3g(host: Host, argv: Sequence[str | Path]) -> None:
    """Run a program to its end. Raises NtfsToolFailed, HostError, CommandError (no end)."""
    done = host.run(argv, timeout_s=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).decode(errors="replace").splitlines()
        first = next((line.strip() for line in said if line.strip()), "it does not say why")
        raise NtfsToolFailed(f"{argv[0]} exited with {done.returncode}: {first}")
