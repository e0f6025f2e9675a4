"""The build directory: the only code that knows the names of its files.

All state of a build is in files that a person can read; the names are those of the original
tool where it had them. `nextstep` says where the walk stands, `history.jsonl` what happened,
`doing-STEP` which step is under way (or was, when winbuild was killed).
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import re
import shlex
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from winbuild.atomic import fsync_dir, partial_path, write_atomic
from winbuild.errors import BuildDirError, BuildDirLocked, StateFileError

FINISHED = "finished"
_LOCK_PATIENCE_S = 0.5
_STEP_NAME = re.compile(r"[0-9]{1,4}[a-z]?(-[A-Za-z0-9]+)+|finished")


@dataclass(frozen=True)
class Event:
    """One line of `history.jsonl`. `what`: begin, end, fail, confirm or note."""

    what: str
    step: str
    time: str
    seconds: float | None = None
    produced: tuple[str, ...] = ()
    message: str = ""


def now_text() -> str:
    """Local time with its offset, to the millisecond, ISO 8601."""
    return dt.datetime.now().astimezone().isoformat(timespec="milliseconds")


class BuildDir:
    """A build directory that exists. `path` is absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    # -- finding and making --------------------------------------------------------------

    @classmethod
    def open(cls, path: Path) -> BuildDir:
        """Raises BuildDirError if `path` is no build directory."""
        found = cls(path)
        if not path.exists():
            raise BuildDirError(
                f"{path} does not exist", hint=f"to begin a build: {found.command} 0-init LABEL"
            )
        if not path.is_dir():
            raise BuildDirError(f"{path} is not a directory")
        if not found.is_build_directory:
            raise BuildDirError(
                f"{path} is not a build directory (it has no file nextstep)",
                hint="give another name"
                if any(path.iterdir())
                else f"it is empty; to begin a build there: {found.command} 0-init LABEL",
            )
        return found

    @classmethod
    def create(cls, path: Path, *, plan: str, first_step: str) -> BuildDir:
        """Make the directory (mode 0700: it will hold a product key and passwords), standing
        at the plan's first step.

        An empty directory is taken, and so is one whose first step was interrupted. Raises
        BuildDirError if it holds anything else.
        """
        found = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            strangers = sorted(p.name for p in path.iterdir())
        except OSError as exc:
            raise BuildDirError(f"{path} cannot be made: {exc.strerror}") from exc
        if found.is_build_directory and found.next_step_text() != first_step:
            raise BuildDirError(
                f"{path} is a build directory already, at step {found.next_step_text()}",
                hint=f"to go on with it: {found.command}",
            )
        # What a 0-init that was killed has left is no stranger.
        own = {"PLAN", *(partial_path(Path(name)).name for name in ("PLAN", "nextstep"))}
        strangers = [name for name in strangers if name not in own]
        if strangers and not found.is_build_directory:
            raise BuildDirError(
                f"{path} exists and is not empty (it holds {strangers[0]!r})",
                hint="choose a new name for the build directory",
            )
        try:
            path.chmod(0o700)
            found.write_fact("PLAN", plan)
            found.set_next_step(first_step)
        except OSError as exc:
            raise BuildDirError(f"{path} cannot be written to: {exc.strerror}") from exc
        return found

    @property
    def is_build_directory(self) -> bool:
        return self.file("nextstep").exists()

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def command(self) -> str:
        """How winbuild is called for this directory: `winbuild builddirs/first`, quoted for a
        shell, relative to the present folder where it lies below it."""
        cwd = Path.cwd()
        shown = self.path.relative_to(cwd) if self.path.is_relative_to(cwd) else self.path
        return f"{_program()} {shlex.quote(str(shown))}"

    def file(self, name: str) -> Path:
        return self.path / name

    # -- where the walk stands -----------------------------------------------------------

    def next_step_text(self) -> str:
        """The one line of `nextstep`. StateFileError if it is not the name of a step."""
        try:
            raw = self.file("nextstep").read_bytes()
        except OSError as exc:
            raise StateFileError(f"{self.file('nextstep')} cannot be read: {exc.strerror}") from exc
        text = raw[:200].decode("ascii", errors="replace").strip()
        if not _STEP_NAME.fullmatch(text):
            shown = text[:60] or "nothing"
            raise StateFileError(
                f"{self.file('nextstep')} holds {shown!r}, which is no step's name",
                hint=f"write the right name into it; the last step that ended was "
                f"{self.last_ended() or 'none'} (see history.jsonl)",
            )
        return text

    def set_next_step(self, name: str) -> None:
        write_atomic(self.file("nextstep"), f"{name}\n")

    def last_ended(self) -> str | None:
        ended = [event.step for event in self.history() if event.what in ("end", "confirm")]
        return ended[-1] if ended else None

    # -- small facts written at 0-init ---------------------------------------------------

    def write_fact(self, name: str, text: str) -> None:
        write_atomic(self.file(name), f"{text}\n")

    def fact(self, name: str) -> str:
        """First line of a small file; StateFileError if it is missing or empty."""
        try:
            text = self.file(name).read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise StateFileError(f"{self.file(name)} cannot be read: {exc}") from exc
        if not text:
            raise StateFileError(f"{self.file(name)} is empty")
        return text.splitlines()[0]

    @property
    def label(self) -> str:
        return self.fact("LABEL")

    @property
    def plan_name(self) -> str:
        return self.fact("PLAN") if self.file("PLAN").exists() else "wakame"

    @property
    def image(self) -> Path:
        """The raw image of the Windows disk."""
        return self.file(self.fact("WINIMG"))

    @property
    def digit(self) -> int | None:
        """The digit that makes ports unique, or None after 9999-finalize."""
        with suppress(OSError, ValueError):
            return int(self.file("active").read_text())
        return None

    # -- parameters fixed at 1-setup-install ---------------------------------------------

    PARAMS = "install-params.toml"
    SECRETS = "install-secrets.toml"

    def write_params(self, params: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        import tomli_w

        write_atomic(self.file(self.SECRETS), tomli_w.dumps(dict(secrets)), mode=0o600)
        write_atomic(self.file(self.PARAMS), tomli_w.dumps(dict(params)))

    def params(self) -> dict[str, Any]:
        """{"settings": {KEY: text}, "inputs": {...}}; empty before 1-setup-install."""
        return self._read_toml(self.PARAMS)

    def frozen_settings(self) -> dict[str, str]:
        """Every setting that 1-setup-install fixed, secrets included, as text."""
        return {**self.params().get("settings", {}), **self._read_toml(self.SECRETS)}

    def _read_toml(self, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.file(name).read_text())
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            raise StateFileError(
                f"{self.file(name)} cannot be read: {exc}",
                hint=f"run the step again: {self.command} 1-setup-install --force",
            ) from exc

    # -- history -------------------------------------------------------------------------

    def record(self, event: Event) -> None:
        fields = {key: value for key, value in asdict(event).items() if value not in (None, (), "")}
        line = json.dumps(fields, ensure_ascii=False)
        fd = os.open(self.file("history.jsonl"), os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o644)
        try:
            # A killed winbuild or a full disk may have left half a line: begin a new one.
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            # A path may hold bytes that are no text (surrogates).
            content = ("\n" if torn else "") + line + "\n"
            os.write(fd, content.encode(errors="replace"))
            os.fsync(fd)
        finally:
            os.close(fd)

    def history(self) -> list[Event]:
        """All events in order. Half-written lines are left out."""
        try:
            # Not splitlines(), which splits at more than what record() ends a line with.
            lines = self.file("history.jsonl").read_text(errors="replace").split("\n")
        except FileNotFoundError:
            return []
        events = []
        for line in lines:
            with suppress(ValueError, TypeError, AttributeError):
                fields = json.loads(line)
                fields["produced"] = tuple(fields.get("produced", ()))
                events.append(Event(**fields))
        return events

    # -- a step under way ----------------------------------------------------------------

    def begin(self, step: str) -> None:
        """Mark the step as under way. The mark of a try that was killed stays as it is: it
        tells when the first of them began."""
        own = self.file(f"doing-{step}")
        for marker in self.path.glob("doing-*"):
            if marker != own:
                marker.unlink(missing_ok=True)
        if not own.exists():
            write_atomic(own, f"{now_text()}\n")

    def end_doing(self) -> None:
        for marker in self.path.glob("doing-*"):
            marker.unlink(missing_ok=True)
        fsync_dir(self.path)

    def doing(self) -> str | None:
        """The step that is under way, or was when winbuild was killed."""
        for marker in sorted(self.path.glob("doing-*")):
            return marker.name.removeprefix("doing-")
        return None

    def interrupted(self) -> str | None:
        """The step that a killed winbuild was in. The caller holds the lock, or has seen that
        nobody does."""
        step = self.doing()
        if step is None or (step != self.next_step_text() and self._has_ended(step)):
            return None  # killed after the position was saved: nothing is left to do
        return step

    def _has_ended(self, step: str) -> bool:
        last = next((event for event in reversed(self.history()) if event.step == step), None)
        return last is not None and last.what in ("end", "confirm")

    def last_try_failed(self, step: str) -> bool:
        """Whether the last try of `step` was killed, or ended with an error."""
        last = next((event for event in reversed(self.history()) if event.step == step), None)
        return last is not None and last.what in ("begin", "fail")

    def interrupted_since(self, step: str) -> float | None:
        """When (seconds since the epoch) the first of the tries of `step` began that were
        killed; None if the last one came to an end, good or bad."""
        if self.interrupted() != step:
            return None
        marker = self.file(f"doing-{step}")
        try:
            return dt.datetime.fromisoformat(marker.read_text().strip()).timestamp()
        except ValueError:
            return marker.stat().st_mtime

    # -- one winbuild at a time ----------------------------------------------------------

    @contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Hold the directory for a whole command. BuildDirLocked names who has it.

        The lock is the kernel's: it goes with the process, however that ends.
        """
        fd = os.open(self.file("lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            if not _flock_patiently(fd):
                holder = os.pread(fd, 500, 0).decode(errors="replace").strip()
                raise BuildDirLocked(
                    f"another winbuild is at work in {self.path}: {holder or 'unknown'}",
                    hint="wait for it to end, or stop it; looking is always possible: "
                    f"{self.command}",
                )
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()}, {command}, since {now_text()}\n".encode(), 0)
            yield
        finally:
            os.close(fd)

    def holder(self) -> str | None:
        """Who holds the lock now, or None."""
        try:
            fd = os.open(self.file("lock"), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(fd, 500, 0).decode(errors="replace").strip()
        finally:
            os.close(fd)
        return None

    # -- names of what steps make --------------------------------------------------------

    def log(self, step: str) -> Path:
        return self.file("log") / f"{step}.log"

    def failures(self) -> Path:
        return self.file("failures")

    def next_numbered_logs(self, what: str) -> Path:
        """`logs-001-WHAT.tar.gz`, with the number that this WHAT has, or else the next free."""
        existing = sorted(self.path.glob("logs-[0-9][0-9][0-9]-*.tar.gz"))
        for path in existing:
            if path.name[9:] == f"{what}.tar.gz":
                return path
        number = max((int(path.name[5:8]) for path in existing), default=0) + 1
        return self.file(f"logs-{number:03}-{what}.tar.gz")

    def mountpoints(self) -> tuple[Path, Path]:
        """Where -mount and -mm put the Windows partition and the metadata disk."""
        return self.file("mntdir"), self.file("mntdir-metadata")

    def artefacts(self) -> Sequence[Path]:
        """What packaging has finished, oldest first."""
        found = [*self.path.glob("windows-*.tar.gz"), *self.file("final-seed-image").glob("[!.]*")]
        return sorted(found, key=lambda path: (path.stat().st_mtime, path.name))


@cache
def _program() -> str:
    """What to type for winbuild: its name where PATH leads to this very program, else its path
    (somebody who has not activated the virtual environment must be able to type a hint)."""
    called = Path(sys.argv[0])
    if called.name != "winbuild" or not called.is_file():
        return "winbuild"
    found = shutil.which("winbuild")
    if found and called.samefile(found):
        return "winbuild"
    cwd = Path.cwd()
    return shlex.quote(str(called.relative_to(cwd) if called.is_relative_to(cwd) else called))


def _flock_patiently(fd: int) -> bool:
    """Whether the lock was got. `holder()` takes it for an instant, which is no refusal."""
    give_up = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > give_up:
                return False
            time.sleep(0.02)
