"""A project folder with one build directory, for tests that call the command line."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from winbuild.builddir import BuildDir
from winbuild.session import Options, Session


@dataclass
class Project:
    """A project folder with one build directory, and the command line in it."""

    folder: Path
    name: str
    label: str
    environment: dict[str, str]
    transcript: list[str] = field(default_factory=list)

    @property
    def dir(self) -> Path:
        return self.folder / "builddirs" / self.name

    @property
    def nextstep(self) -> str:
        return (self.dir / "nextstep").read_text().strip()

    @property
    def builddir(self) -> BuildDir:
        return BuildDir(self.dir)

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "winbuild", str(self.dir), *words]

    def run(self, *words: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        """One winbuild command with this build directory."""
        done = subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        self.transcript.append(
            f"$ {' '.join(words)}\n{done.stdout}{done.stderr}[{done.returncode}]"
        )
        return done

    def must(self, *words: str, timeout_s: float = 900) -> str:
        done = self.run(*words, timeout_s=timeout_s)
        assert done.returncode == 0, "\n".join(self.transcript[-3:])
        return done.stdout

    def session(self) -> Session:
        return Session(self.dir, Options(quiet=True))
