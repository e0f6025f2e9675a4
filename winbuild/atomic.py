"""Files appear under their final name only when they are complete.

A file under construction is called `.NAME.partial` and lies beside its final name, so
that the last act is a rename within one file system. What a killed winbuild leaves is
therefore recognisable, and is removed by the next try (`unfinished` does that itself).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL_SUFFIX = ".partial"


def partial_path(final: Path) -> Path:
    return final.with_name(f".{final.name}{PARTIAL_SUFFIX}")


def fsync_dir(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def unfinished(final: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """Give a path to write to; on leaving without an exception it becomes `final`.

    The file exists and is empty at the start, with permissions `mode`. On an exception it
    is removed and `final` stays as it was. Whoever writes through another program gets its
    data synced here.
    """
    temp = partial_path(final)
    with suppress(FileNotFoundError):
        temp.unlink()
    os.close(os.open(temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    try:
        yield temp
        fd = os.open(temp, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        temp.replace(final)
        fsync_dir(final.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            temp.unlink()
        raise


def write_atomic(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Replace the file's content as a whole: readers see the old or the new, never a part."""
    with unfinished(path, mode=mode) as temp:
        # A path in the text may hold bytes that are no text: they go in as they are.
        encoded = content.encode(errors="surrogateescape") if isinstance(content, str) else content
        temp.write_bytes(encoded)
