"""Keeps the logs of the Windows in the making; the VM may be running meanwhile."""

from __future__ import annotations

from pathlib import Path

from winbuild.disk.logs import LogReport, collect_logs
from winbuild.disk.windows import windows_partition
from winbuild.step import StepContext


def record(ctx: StepContext, dest: Path) -> LogReport:
    """Write Windows' logs to `dest`, a tar.gz. Missing ones are said, and no error."""
    image = ctx.builddir.image
    return collect_logs(image, windows_partition(image), dest, ctx.ui)
