"""MD5 sums of disk images, and files of them that `md5sum -c` reads."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.disk.image import extents_of_fd
from winbuild.ui import QuietUi, Ui

_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(_CHUNK_BYTES)


def md5_file(path: Path, ui: Ui | None = None) -> str:
    """The MD5 sum of a whole file, in hex. Holes are hashed without being read."""
    digest = hashlib.md5(usedforsecurity=False)
    with (
        path.open("rb", buffering=0) as stream,
        (ui or QuietUi()).progress(
            f"checksum of {path.name}", path.stat().st_size, "B"
        ) as progress,
    ):
        fd = stream.fileno()
        size = os.fstat(fd).st_size
        at = 0
        for extent in extents_of_fd(fd):
            for length in _pieces(extent.start - at):
                digest.update(memoryview(_ZEROS)[:length])
                progress.advance(length)
            at = extent.start
            while at < extent.end:
                piece = os.pread(fd, min(_CHUNK_BYTES, extent.end - at), at)
                if not piece:
                    break
                digest.update(piece)
                progress.advance(len(piece))
                at += len(piece)
        for length in _pieces(size - at):
            digest.update(memoryview(_ZEROS)[:length])
            progress.advance(length)
    return digest.hexdigest()


def _pieces(length: int) -> list[int]:
    whole, rest = divmod(length, _CHUNK_BYTES)
    return [_CHUNK_BYTES] * whole + ([rest] if rest else [])


def write_md5_file(path: Path, ui: Ui | None = None, *, dest: Path | None = None) -> str:
    """Write `PATH.md5` (or `dest`) for a file, naming it without its folder. Gives the sum."""
    checksum = md5_file(path, ui)
    write_atomic(dest or path.with_name(f"{path.name}.md5"), md5_line(checksum, path.name))
    return checksum


def md5_line(checksum: str, name: str) -> str:
    return f"{checksum}  {name}\n"
