"""Copies a sparse image: only what is allocated is read and written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from winbuild.disk.image import allocated_bytes, data_extents
from winbuild.errors import DiskError
from winbuild.ui import Ui

_CHUNK_BYTES = 16 << 20


def sparse_copy(source: Path, dest: Path, ui: Ui) -> None:
    """Make `dest` (an existing file, taken over) equal to `source`, holes included.

    File systems that share blocks between files (XFS, Btrfs) do so. Raises DiskError.
    """
    extents = data_extents(source)
    total = allocated_bytes(extents)
    try:
        with (
            source.open("rb") as reader,
            dest.open("r+b") as writer,
            ui.progress(f"copying {source.name}", total, "B") as bar,
        ):
            os.truncate(writer.fileno(), 0)
            os.truncate(writer.fileno(), source.stat().st_size)
            for extent in extents:
                _copy_extent(
                    reader.fileno(), writer.fileno(), extent.start, extent.length, bar.advance
                )
    except OSError as exc:
        raise DiskError(
            f"{source} cannot be copied to {dest.parent}: {exc.strerror}",
            hint=f"{total / (1 << 30):.1f} GiB are needed in {dest.parent}",
        ) from exc


def _copy_extent(
    reader: int, writer: int, start: int, length: int, advance: Callable[[float], None]
) -> None:
    end = start + length
    while start < end:
        copied = os.copy_file_range(
            reader, writer, min(_CHUNK_BYTES, end - start), offset_src=start, offset_dst=start
        )
        if copied == 0:
            raise OSError(0, "it became shorter while it was read")
        start += copied
        advance(copied)
