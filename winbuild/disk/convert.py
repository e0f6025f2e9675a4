"""Makes other forms of a raw disk image: qcow2, and gzip of either."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.disk.watched import compressor, read_position, run_watched
from winbuild.host import Host
from winbuild.ui import Ui

_PERCENT = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")
_TAIL_BYTES = 200


def to_qcow2(host: Host, source: Path, dest: Path, ui: Ui) -> None:
    """Convert a raw image into a qcow2 file, which appears when it is complete."""
    with tempfile.TemporaryDirectory(prefix="winbuild-") as folder, unfinished(dest) as temp:
        shown = Path(folder) / "progress"
        # Absolute: qemu-img would take what stands before a colon for a protocol.
        argv = ["qemu-img", "convert", "-p", "-f", "raw", "-O", "qcow2"]
        run_watched(
            host,
            [*argv, source.absolute(), temp.absolute()],
            ui=ui,
            label=f"converting to {dest.name}",
            total=100,
            unit="%",
            position=lambda _pid: last_percent(shown),
            stdout=shown,
        )


def last_percent(shown: Path) -> float:
    """The last percentage that `qemu-img -p` has written to a file."""
    try:
        with shown.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _TAIL_BYTES))
            found = _PERCENT.findall(stream.read())
    except FileNotFoundError:
        return 0.0
    return float(found[-1]) if found else 0.0


def gzip_file(host: Host, source: Path, dest: Path, ui: Ui) -> None:
    """Compress a file into `dest`, which appears when it is complete. `source` is kept."""
    with unfinished(dest) as temp:
        run_watched(
            host,
            [*compressor(host), "--no-name", "--stdout", "--", source.absolute()],
            ui=ui,
            label=f"compressing {source.name}",
            total=source.stat().st_size,
            unit="B",
            position=lambda pid: read_position(pid, source),
            stdout=temp,
        )
