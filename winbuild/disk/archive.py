"""Packs disk images into sparse `tar.gz` files that GNU tar unpacks with their holes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.disk.image import AllocatedPosition, data_extents
from winbuild.disk.watched import compressor, read_position, run_watched
from winbuild.errors import DiskError
from winbuild.host import Host
from winbuild.ui import Ui


def sparse_tar_gz(host: Host, dest: Path, files: Sequence[Path], ui: Ui) -> None:
    """Make `dest` from the files, each under its bare name, holes kept as holes.

    The file appears when it is complete. Raises DiskError, HostError, CommandError.
    """
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise DiskError(f"{dest.name} cannot be made: {', '.join(missing)} is missing")
    parts = [AllocatedPosition(data_extents(file)) for file in files]
    total = sum(part.total for part in parts)

    def position(pid: int) -> float:
        """Bytes of data read so far. tar reads one file after the other."""
        before = 0
        for file, part in zip(files, parts, strict=True):
            at = read_position(pid, file)
            if at:
                return before + part.before(at)
            before += part.total
        return 0

    with unfinished(dest) as temp:
        argv = tar_argv(temp, files, compressor(host))
        run_watched(
            host,
            argv,
            ui=ui,
            label=f"packing {dest.name}",
            total=total,
            unit="B",
            position=position,
        )


def tar_argv(dest: Path, files: Sequence[Path], compress: Sequence[str]) -> list[str]:
    """GNU tar's command line. Owner and permissions are made the same for every host."""
    argv = ["tar", "--create", "--sparse", "--format=gnu", f"--file={dest.absolute()}"]
    argv += ["--force-local", "--owner=root:0", "--group=root:0", "--mode=u=rw,go=r"]
    argv += [f"--use-compress-program={shlex.join(compress)}"]
    for file in files:
        argv += [f"--directory={file.absolute().parent}", f"--add-file={file.name}"]
    return argv
