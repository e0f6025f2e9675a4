"""Runs the host's programs. Nothing else in winbuild starts a process."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from winbuild.errors import CommandError, HostError

_TOOLS_TABLE = Path(__file__).with_name("host_tools.toml")


@dataclass(frozen=True)
class Tool:
    """A program that winbuild may need: where Debian and Ubuntu have it, and what for."""

    name: str
    package: str
    purpose: str


@cache
def known_tools() -> Mapping[str, Tool]:
    table = tomllib.loads(_TOOLS_TABLE.read_text())
    return {name: Tool(name, row["package"], row["purpose"]) for name, row in table.items()}


@dataclass(frozen=True)
class Completed:
    """What a program that ended with 0 (or was run with check=False) left."""

    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")


class Host:
    """The machine that winbuild runs on. Tests pass a fake with the same methods."""

    def find(self, tool: str) -> str:
        """Return the tool's path; HostError, naming the package that has it, if it is missing."""
        # mkfs.fat, ntfslabel and the like live in sbin, which a plain user's PATH often lacks.
        path = os.environ.get("PATH", os.defpath)
        found = shutil.which(tool, path=f"{path}:/usr/local/sbin:/usr/sbin:/sbin")
        if found:
            return found
        known = known_tools().get(Path(tool).name)
        hint = f"on Debian or Ubuntu: sudo apt-get install {known.package}" if known else None
        purpose = f" (needed to {known.purpose})" if known else ""
        raise HostError(f"the program {tool!r} is not installed{purpose}", hint=hint)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout_s: float,
        log: Path | None = None,
        stdin: bytes | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a program to its end.

        `argv[0]` is looked up as by `find`. `env` adds to the environment. With `log` the
        command line, its output and duration are appended to that file. Raises HostError if
        it is not installed, CommandError if it fails (unless `check` is False) or runs longer
        than `timeout_s` seconds.
        """
        command = [self.find(str(argv[0])), *map(str, argv[1:])]
        started = time.monotonic()
        try:
            done = subprocess.run(
                command,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                timeout=timeout_s,
                cwd=cwd,
                env={**os.environ, **env} if env else None,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            output = _decoded(exc.stdout) + _decoded(exc.stderr)
            _append_log(log, command, None, output, time.monotonic() - started)
            raise CommandError(command, None, output, log=log) from exc
        output = _decoded(done.stdout) + _decoded(done.stderr)
        _append_log(log, command, done.returncode, output, time.monotonic() - started)
        if check and done.returncode != 0:
            said = _decoded(done.stderr) or _decoded(done.stdout)
            raise CommandError(command, done.returncode, said, log=log)
        return Completed(done.returncode, done.stdout, done.stderr)

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        stdout: Path | None = None,
        stderr: Path | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        detached: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a program and return at once. `detached` puts it in a session of its own, so
        that it outlives winbuild and does not get the terminal's Ctrl-C."""
        command = [self.find(str(argv[0])), *map(str, argv[1:])]
        out = stdout.open("ab") if stdout else None
        err = stderr.open("ab") if stderr else None
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out or subprocess.DEVNULL,
                stderr=err or subprocess.DEVNULL,
                cwd=cwd,
                env={**os.environ, **env} if env else None,
                pass_fds=pass_fds,
                start_new_session=detached,
            )
        finally:
            for stream in (out, err):
                if stream:
                    stream.close()


def _decoded(data: bytes | None) -> str:
    return (data or b"").decode(errors="replace")


def _append_log(
    log: Path | None, argv: Sequence[str], returncode: int | None, output: str, seconds: float
) -> None:
    if log is None:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as stream:
        stream.write(f"$ {shlex.join(argv)}\n{output}")
        if output and not output.endswith("\n"):
            stream.write("\n")
        stream.write(f"[exit {returncode}, {seconds:.2f} s]\n")
