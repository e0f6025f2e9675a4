"""The whole walk in a terminal, as a person does it: every -do-next and every -done.

The person's eyes and hands are the console of winbuild's library; what is tested is the
command line, its words, its exit codes, and the position after each step.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
from build_project import Project

from winbuild.deadline import Deadline
from winbuild.errors import GuestTimeout
from winbuild.rehearsal.build import RehearsalMedia
from winbuild.windows import desktop

pytestmark = [pytest.mark.real, pytest.mark.walk, pytest.mark.xdist_group("walk-by-hand")]

STEPS = (Path(__file__).parents[1] / "golden/wakame-steps.txt").read_text().split()
WAIT_S = 300.0


class Terminal:
    """winbuild called at a shell's prompt; pexpect gives it a real terminal."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def call(self, *words: str) -> tuple[int, str]:
        argv = self.project.argv(*words)
        child = pexpect.spawn(
            argv[0],
            argv[1:],
            cwd=str(self.project.folder),
            env=self.project.environment,
            encoding="utf-8",
            timeout=600,
            dimensions=(50, 200),
        )
        child.expect(pexpect.EOF)
        child.close()
        code = child.exitstatus if child.exitstatus is not None else -(child.signalstatus or 0)
        return code, child.before or ""

    def expect(self, *words: str, code: int, says: str = "") -> str:
        found, output = self.call(*words)
        assert found == code and says in output, output
        return output


class Person:
    """Somebody at the guest's console."""

    def __init__(self, project: Project) -> None:
        self.session = project.session()
        self.console = self.session.console

    def wait(self, name: str) -> None:
        self.console.screen.wait_for(name, deadline=Deadline(WAIT_S))

    def open_powershell(self) -> None:
        for _ in range(5):
            spot = self.console.screen.point(desktop.DESKTOP, "powershell")
            assert spot is not None
            frame = self.console.screen.frame()
            x, y = (spot.left + spot.right) // 2, (spot.top + spot.bottom) // 2
            self.console.pointer.click(x, y, (frame.width, frame.height))
            try:
                self.console.screen.wait_for(desktop.POWERSHELL, deadline=Deadline(15))
                return
            except GuestTimeout:
                continue
        raise AssertionError("no PowerShell window came to the front")

    def acts(self) -> dict[str, Callable[[], Any]]:
        """What to do for each manual step, by its number."""
        keyboard = self.console.keyboard
        acts: dict[str, Callable[[], Any]] = {
            "4": lambda: self.wait(desktop.LOCK_SCREEN),
            "6": lambda: keyboard.press("ctrl-alt-delete"),
            "7": lambda: self.wait(desktop.PASSWORD_SCREEN),
            "8": lambda: keyboard.type_line("a:run-sysprep"),
            "9": lambda: self.wait(desktop.DESKTOP),
            "10": self.open_powershell,
            "11": lambda: keyboard.type_line("a:run-sysprep"),
        }
        for number, page in enumerate(desktop.AGENT_PAGES):
            acts[str(12 + 2 * number)] = lambda page=page: self.wait(page)
            acts[str(13 + 2 * number)] = lambda: keyboard.press("ret")
        return acts


# A step that is confirmed before the person has acted, and what winbuild then sees.
TOO_EARLY = {"4", "8", "10", "11", "13", "23"}


def test_every_step_by_hand(
    make_media: Callable[..., RehearsalMedia], make_project: Callable[..., Project]
) -> None:
    project = make_project(make_media(), name="by hand, 'quoted' 手作業 " + "x" * 120)
    terminal = Terminal(project)
    terminal.expect("0-init", "2012", code=0, says="nextstep: 1-setup-install")
    person: Person | None = None
    for name, following in itertools.pairwise(STEPS[1:30]):
        assert project.nextstep == name
        number = name.split("-")[0]
        if "-M-" in name:
            person = person or Person(project)
            terminal.expect("-do-next", code=4, says="is for a person")
            if number in TOO_EARLY:
                output = terminal.expect("-done", code=1, says="visibly not done")
                assert "the screen shows" in output
                assert project.nextstep == name
            person.acts()[number]()
            output = terminal.expect("-done", code=0)
        else:
            terminal.expect("-done", code=2, says="automated step")
            output = terminal.expect("-do-next", code=0)
        following = following.replace("genN", "gen0")
        assert f"nextstep: {following}" in output
    assert project.nextstep == "1001-gen0-first-boot"
    assert json.loads(project.must("--json"))["kind"] == "automated"
