"""What is kept when a step fails: enough for a person to see what happened.

Under `DIR/failures/TIME-STEP/`: the error in words, a picture of the screen, the end of the
serial console's log, QEMU's status and the end of what it said.
"""

from __future__ import annotations

import datetime as dt
import json
import traceback
from collections.abc import Callable
from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.errors import WinbuildError
from winbuild.step import StepContext
from winbuild.vm import files as vm_files

SERIAL_TAIL_BYTES = 16 << 10
LOG_TAIL_BYTES = 8 << 10


def keep(ctx: StepContext, error: BaseException) -> Path | None:
    """Save the evidence and name its folder in the error. Never raises: what cannot be had is
    noted in the folder, and None is returned if not even that can be made (a full disk)."""
    stamp = dt.datetime.now().strftime("%y%m%d-%H%M%S")
    folder = ctx.builddir.failures() / f"{stamp}-{ctx.step}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing: list[str] = []
        for name, make in _pieces(ctx, error).items():
            try:
                make(folder / name)
            except Exception as exc:
                missing.append(f"{name}: {type(exc).__name__}: {exc}")
        if missing:
            write_atomic(folder / "not-available.txt", "\n".join(missing) + "\n")
    except Exception:
        return None
    if isinstance(error, WinbuildError) and error.log is None:
        error.log = folder
    return folder


def _pieces(ctx: StepContext, error: BaseException) -> dict[str, Callable[[Path], None]]:
    pieces: dict[str, Callable[[Path], None]] = {
        "error.txt": lambda path: write_atomic(path, _in_words(ctx, error)),
    }
    if ctx.log.exists():
        pieces["programs.log"] = lambda path: _copy_tail(ctx.log, path)
    status = ctx.vm.status()
    if status.state == "none":
        return pieces
    pieces["vm-status.json"] = lambda path: write_atomic(
        path,
        json.dumps(
            {"state": status.state, "cause": status.cause, "pid": status.pid}
            | ({"qmp": ctx.vm.query_status()} if status.pid is not None else {}),
            indent=2,
        )
        + "\n",
    )
    pieces["serial.txt"] = lambda path: write_atomic(path, ctx.vm.serial_tail(SERIAL_TAIL_BYTES))
    stderr = ctx.builddir.file(vm_files.STDERR)
    if stderr.exists() and stderr.stat().st_size:
        pieces["kvm.stderr"] = lambda path: _copy_tail(stderr, path)
    if status.pid is not None:
        pieces["screen.png"] = lambda path: save_screenshot(ctx, path)
        pieces["screen.txt"] = lambda path: write_atomic(path, ctx.console.screen.describe() + "\n")
    return pieces


def save_screenshot(ctx: StepContext, path: Path) -> None:
    """The VM's screen as a PNG."""
    from winbuild.screen.frame import Frame

    Frame.from_ppm(ctx.vm.screendump()).save_png(path)


def _in_words(ctx: StepContext, error: BaseException) -> str:
    if isinstance(error, WinbuildError):
        hint = f"hint: {error.hint}\n" if error.hint else ""
        return f"{ctx.step}: {error.message}\n{hint}"
    return f"{ctx.step}:\n" + "".join(traceback.format_exception(error))


def _copy_tail(source: Path, dest: Path) -> None:
    with source.open("rb") as stream:
        stream.seek(max(0, source.stat().st_size - LOG_TAIL_BYTES))
        write_atomic(dest, stream.read())
