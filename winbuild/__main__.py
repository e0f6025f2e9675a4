"""The one place that turns errors into messages and exit codes.

0 done, 1 failed, 2 usage or settings, 3 a bug, 4 a person has to act, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from winbuild.errors import OperatorActionNeeded, WinbuildError

BUG = 3
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    from winbuild.cli import app

    try:
        code = app(args=argv, prog_name="winbuild", standalone_mode=True)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else 1
    except WinbuildError as exc:
        print_error(exc)
        return exc.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`winbuild list | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as exc:
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
