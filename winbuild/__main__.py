"""The one place that turns errors into messages and exit codes.

0 done, 1 failed, 2 usage or settings, 3 a bug, 4 a person has to act, 130 interrupted.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from pathlib import Path

from winbuild.errors import OperatorActionNeeded, WinbuildError

BUG = 3
INTERRUPTED = 130

# Errors of the operating system that no program can prevent.
_HOST_TROUBLE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENAMETOOLONG,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A directory's name may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
    except SystemExit as exc:
        if exc.code == INTERRUPTED:  # typer makes this of Ctrl-C
            print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return exc.code if isinstance(exc.code, int) else 1
    except WinbuildError as exc:
        print_error(exc)
        return exc.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone (`winbuild list | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as exc:
        if isinstance(exc, OSError) and exc.errno in _HOST_TROUBLE:
            print_error(_host_trouble(exc))
            return WinbuildError.exit_code
        log = _write_bug_log(exc)
        print(f"error: a bug in winbuild: {type(exc).__name__}: {exc}", file=sys.stderr)
        print(f"log: {log}" if log else traceback.format_exc(), file=sys.stderr)
        return BUG
    return code if isinstance(code, int) else 0


def print_error(error: WinbuildError) -> None:
    red, plain = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
    word = "to do" if isinstance(error, OperatorActionNeeded) else f"{red}error{plain}"
    print(f"{word}: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    if error.log:
        print(f"log: {error.log}", file=sys.stderr)


def _run(arguments: list[str]) -> object:
    from winbuild import look

    if plain := look.plain_look(arguments):
        look.show(plain[0], as_json=plain[1])
        return 0
    from winbuild.cli import app

    return app(args=arguments, prog_name="winbuild", standalone_mode=True)


def _host_trouble(exc: OSError) -> WinbuildError:
    place = f"{exc.filename}: " if exc.filename is not None else ""
    return WinbuildError(
        f"{place}{exc.strerror}", hint="when that is mended, the same command goes on from here"
    )


def _write_bug_log(exc: Exception) -> Path | None:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = state / "winbuild" / "bug.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(exc)))
    except OSError:
        return None
    return path


if __name__ == "__main__":
    sys.exit(main())
