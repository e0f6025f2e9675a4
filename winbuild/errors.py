"""Every error that winbuild raises on purpose.

::

    WinbuildError(message, *, hint=None, log=None)          exit code
     |-- UsageError             a command that does not fit            2
     |-- ConfigError            settings; reports every fault at once  2
     |-- StepPluginError        a plan or a step that cannot be used   2
     |-- BuildDirError          the build directory                    1
     |    |-- BuildDirLocked    another winbuild is at work in it
     |    `-- StateFileError    a state file holds garbage
     |-- HostError              a tool, KVM or disk space is missing   1
     |-- CommandError           a host program failed                  1
     |-- MediaError             an ISO, floppy or other medium         1
     |-- DiskError              partition table, NTFS, image           1
     |-- VmError                QEMU, QMP, the guest's state           1
     |    `-- GuestTimeout      the guest did not do it in time
     |-- CheckFailed            `verify` sees that a step is not done  1
     `-- OperatorActionNeeded   a pause for a person, not a failure    4

Anything else that reaches `winbuild.__main__.main` is a bug (exit code 3, traceback
to the log); Ctrl-C is 130.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path


class WinbuildError(Exception):
    """An error with what a person needs: the fact, what to type next, and where to look.

    `message` states the fact and its cause in one line; `hint` is the next command or
    remedy; `log` is a file with the details.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = log


class UsageError(WinbuildError):
    exit_code = 2


class ConfigError(WinbuildError):
    """Faulty settings. One line in `faults` for each: where, key, and what would be right."""

    exit_code = 2

    def __init__(self, faults: Iterable[str], *, hint: str | None = None) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = "a setting is wrong" if count == 1 else f"{count} settings are wrong"
        super().__init__("\n  - ".join((f"{head}:", *self.faults)), hint=hint)


class StepPluginError(WinbuildError):
    exit_code = 2


class BuildDirError(WinbuildError):
    pass


class BuildDirLocked(BuildDirError):
    pass


class StateFileError(BuildDirError):
    pass


class HostError(WinbuildError):
    pass


class CommandError(WinbuildError):
    """A host program ended with an error. The message quotes the end of what it said."""

    def __init__(
        self,
        argv: Sequence[str],
        returncode: int | None,
        output: str,
        *,
        hint: str | None = None,
        log: Path | None = None,
    ) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        last = next((ln.strip() for ln in reversed(output.splitlines()) if ln.strip()), "")
        how = "ran out of time" if returncode is None else f"exited with {returncode}"
        program = Path(argv[0]).name
        super().__init__(
            f"{program} {how}" + (f": {last}" if last else ""),
            hint=hint or f"the command was: {shlex.join(argv)}",
            log=log,
        )


class MediaError(WinbuildError):
    pass


class DiskError(WinbuildError):
    pass


class VmError(WinbuildError):
    pass


class GuestTimeout(VmError):
    """The guest did not do what was waited for. The evidence is added by the step machine."""

    def __init__(self, waited_for: str, seconds: float, *, hint: str | None = None) -> None:
        self.waited_for = waited_for
        self.seconds = seconds
        super().__init__(f"waited {seconds:.0f} s for {waited_for}", hint=hint)


class CheckFailed(WinbuildError):
    """What a step should have brought about is visibly not so."""


class OperatorActionNeeded(WinbuildError):
    exit_code = 4
