"""The state machine, on a small looping plan that needs no VM."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from winbuild.__main__ import main

PLAN = '''
"""A plan for tests: 0, 1, a manual 2, and a loop of 1001 and 1002."""
'''

STEPS = '''
import os
import signal
from winbuild.errors import CheckFailed, WinbuildError
from winbuild.step import ManualStep, Step, StepContext


def note(ctx: StepContext) -> None:
    with ctx.builddir.file("notes").open("a") as stream:
        stream.write(ctx.step + "\\n")


class Init(Step):
    """Begin."""
    name = "0-init"
    produces = ("LABEL",)
    def run(self, ctx):
        ctx.builddir.write_fact("LABEL", ctx.arguments[0])


class One(Step):
    """Make the file one."""
    name = "1-make-one"
    produces = ("one",)
    next_instructions = "Look at the file one."
    def run(self, ctx):
        note(ctx)
        if ctx.builddir.file("die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if ctx.builddir.file("fail").exists():
            raise WinbuildError("it was told to fail", hint="remove the file fail")
        if ctx.builddir.file("lazy").exists():
            return
        ctx.builddir.write_fact("one", "1")


class Two(ManualStep):
    """A person makes the file two."""
    name = "2-M-make-two"
    instructions = "Make the file two."
    milestone = "package"
    def automate(self, ctx):
        ctx.builddir.write_fact("two", "by winbuild")
        if ctx.builddir.file("die-after-two").exists():
            os.kill(os.getpid(), signal.SIGKILL)
    def verify(self, ctx):
        if not ctx.builddir.file("two").exists():
            raise CheckFailed("there is no file two")


class Cycle(Step):
    """Begin a cycle."""
    name = "1001-genN-begin"
    produces = ("cycle-genN",)
    def prepare(self, ctx):
        ctx.builddir.write_fact(ctx.expand("prepared-genN"), "yes")
    def run(self, ctx):
        ctx.builddir.write_fact(ctx.expand("cycle-genN"), str(ctx.generation))


class CycleEnd(Step):
    """End a cycle."""
    name = "1002-genN-end"
    leads_to = "1001-genN-begin"
    new_generation = True
    def run(self, ctx):
        note(ctx)


class Close(Step):
    """Close."""
    name = "9999-finalize"
    def run(self, ctx):
        note(ctx)
'''


@pytest.fixture
def project(in_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = in_project / "plans" / "small"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PLAN)
    (folder / "s0.py").write_text(STEPS)
    monkeypatch.setenv("PLANS", str(in_project / "plans"))
    return in_project


def run(*words: str) -> int:
    return main(list(words))


@pytest.fixture
def build(project: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run("builddirs/b", "0-init", "thing", "--plan", "small") == 0
    capsys.readouterr()
    return project / "builddirs" / "b"


def nextstep(build: Path) -> str:
    return (build / "nextstep").read_text().strip()


def test_a_walk_by_hand(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nextstep(build) == "1-make-one"
    assert run("builddirs/b", "-done") == 2
    assert "is an automated step" in capsys.readouterr().err
    assert run("builddirs/b", "-do-next") == 0
    out = capsys.readouterr().out
    assert f"1-make-one: in {build}" in out
    assert "nextstep: 2-M-make-two" in out and "Look at the file one." in out
    assert "winbuild builddirs/b -done" in out
    assert run("builddirs/b", "-next") == 4
    assert "Make the file two." in capsys.readouterr().err
    assert run("builddirs/b", "-done") == 1
    assert "there is no file two" in capsys.readouterr().err
    assert nextstep(build) == "2-M-make-two"
    (build / "two").write_text("x")
    assert run("builddirs/b", "done") == 0
    assert nextstep(build) == "1001-gen0-begin"
    assert (Path("lastdir").resolve()) == build


def test_the_loop_counts_generations(build: Path) -> None:
    assert run("builddirs/b", "-auto") == 0
    assert nextstep(build) == "1001-gen1-begin"
    assert (build / "prepared-gen0").exists()
    assert run("builddirs/b", "do-next") == 0
    assert (build / "cycle-gen1").read_text() == "1\n"
    assert not (build / "prepared-gen1").exists()
    assert nextstep(build) == "1002-gen1-end"
    assert run("builddirs/b", "1002-gen1-end") == 0
    assert nextstep(build) == "1001-gen2-begin"


@pytest.mark.parametrize(
    ("words", "ends_at"),
    [
        (["--package"], "2-M-make-two"),
        (["--one-step"], "2-M-make-two"),
        (["--stop-at", "1002-gen0-end"], "1002-gen0-end"),
        (["--stop-at", "1002-genN-end"], "1002-gen0-end"),
        (["--stop-at", "1001-gen1-begin"], "1001-gen1-begin"),
        ([], "1001-gen1-begin"),
    ],
)
def test_auto_stops_where_it_is_told(build: Path, words: list[str], ends_at: str) -> None:
    assert run("builddirs/b", "-auto", *words) == 0
    assert nextstep(build) == ends_at


def test_auto_stop_at_an_unknown_step(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("builddirs/b", "-auto", "--stop-at", "77-nothing") == 2
    assert "there is no such step" in capsys.readouterr().err
    assert run("builddirs/b", "-auto", "--sysprep") == 2
    assert "has no milestone 'sysprep'" in capsys.readouterr().err


def test_auto_does_not_run_past_what_lies_behind(
    build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("builddirs/b", "-auto", "--stop-at", "1002-genN-end") == 0
    assert run("builddirs/b", "-auto", "--package") == 0
    assert run("builddirs/b", "-auto", "--stop-at", "1-make-one") == 2
    assert "the walk is past it" in capsys.readouterr().err
    assert nextstep(build) == "1002-gen0-end"


def test_a_step_of_another_cycle_is_not_run(
    build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("builddirs/b", "-auto") == 0
    assert run("builddirs/b", "1002-gen0-end", "--force") == 2
    assert "belongs to another cycle" in capsys.readouterr().err
    assert nextstep(build) == "1001-gen1-begin"


def test_lastdir_may_be_used_for_the_directory(build: Path) -> None:
    assert run("lastdir", "-do-next") == 0
    assert nextstep(build) == "2-M-make-two"
    assert Path("lastdir").readlink() == Path("builddirs/b")


def kill(build: Path, *words: str) -> None:
    command = [sys.executable, "-m", "winbuild", "builddirs/b", *words]
    done = subprocess.run(command, cwd=build.parents[1], env=os.environ, capture_output=True)
    assert done.returncode == -signal.SIGKILL


def test_auto_looks_before_it_acts_again(build: Path) -> None:
    run("builddirs/b", "-do-next")
    (build / "die-after-two").write_text("")
    kill(build, "-auto", "--one-step")
    assert nextstep(build) == "2-M-make-two"
    (build / "die-after-two").unlink()
    (build / "two").write_text("by the killed one")
    assert run("builddirs/b", "-auto", "--one-step") == 0
    assert (build / "two").read_text() == "by the killed one"


def test_a_forced_step_that_was_killed_is_not_walked_over(
    build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("builddirs/b", "-do-next")
    (build / "die").write_text("")
    kill(build, "1-make-one", "--force")
    (build / "die").unlink()
    assert nextstep(build) == "2-M-make-two"
    (build / "two").write_text("x")
    for words in (["-done"], ["-done", "--force"], ["-do-next"], ["-auto"]):
        assert run("builddirs/b", *words) == 1
        assert "1-make-one was interrupted" in capsys.readouterr().err
    assert run("builddirs/b", "1-make-one", "--force") == 0
    assert run("builddirs/b", "-done") == 0


def test_a_full_disk_is_no_bug(
    build: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, event: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "history.jsonl")

    monkeypatch.setattr("winbuild.builddir.BuildDir.record", full)
    assert run("builddirs/b", "-do-next") == 1
    assert "error: history.jsonl: No space left on device" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("PLANS", str(build.parents[1] / "plans"))
    monkeypatch.chdir(build.parents[1])
    assert run("builddirs/b", "-do-next") == 0


def test_force_confirms_and_is_recorded(build: Path) -> None:
    run("builddirs/b", "-do-next")
    assert run("builddirs/b", "-done", "--force") == 0
    last = json.loads((build / "history.jsonl").read_text().splitlines()[-1])
    assert last["what"] == "confirm" and "--force" in last["message"]


def test_a_step_out_of_order_needs_force(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("builddirs/b", "1002-genN-end") == 2
    assert "the next step is 1-make-one" in capsys.readouterr().err
    assert nextstep(build) == "1-make-one"
    assert run("builddirs/b", "-1002-genN-end", "--force") == 0
    assert nextstep(build) == "1001-gen1-begin"
    assert run("builddirs/b", "1-make-one", "--force") == 0
    assert nextstep(build) == "2-M-make-two"


def test_the_closing_step_runs_at_any_time(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("builddirs/b", "9999-finalize") == 0
    assert nextstep(build) == "finished"
    assert run("builddirs/b", "-do-next") == 2
    assert "finished" in capsys.readouterr().err


def test_a_failed_step_leaves_the_state_and_evidence(
    build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (build / "fail").write_text("")
    assert run("builddirs/b", "-do-next") == 1
    err = capsys.readouterr().err
    assert "error: 1-make-one: it was told to fail" in err
    assert "hint: remove the file fail" in err
    folder = next((build / "failures").iterdir())
    assert f"log: {folder}" in err
    assert "it was told to fail" in (folder / "error.txt").read_text()
    assert nextstep(build) == "1-make-one"
    assert run("builddirs/b") == 0
    out = capsys.readouterr().out
    assert "! 1-make-one" in out and "the last try failed: it was told to fail" in out
    (build / "fail").unlink()
    assert run("builddirs/b", "-do-next") == 0


def test_a_step_that_lies_is_caught(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (build / "lazy").write_text("")
    assert run("builddirs/b", "-do-next") == 1
    assert "one is not there" in capsys.readouterr().err
    assert nextstep(build) == "1-make-one"


def test_kill_9_in_a_step_and_the_same_command_again(
    build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (build / "die").write_text("")
    command = [sys.executable, "-m", "winbuild", "builddirs/b", "-do-next"]
    killed = subprocess.run(command, cwd=build.parents[1], env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert nextstep(build) == "1-make-one"
    assert run("builddirs/b", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["interrupted"] == "1-make-one"
    assert status["vm"]["state"] == "none"
    run("list")
    assert "interrupted in 1-make-one" in capsys.readouterr().out
    (build / "die").unlink()
    assert run("builddirs/b", "-do-next") == 0
    assert nextstep(build) == "2-M-make-two"
    assert not list(build.glob("doing-*"))


def test_two_winbuilds_on_one_directory(build: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                f"""
                import sys
                from pathlib import Path
                from winbuild.builddir import BuildDir
                with BuildDir(Path({str(build)!r})).lock("-auto"):
                    print("locked", flush=True)
                    sys.stdin.read()
                """
            ),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
    try:
        again = subprocess.run(
            [sys.executable, "-m", "winbuild", "builddirs/b", "-do-next"],
            cwd=build.parents[1],
            capture_output=True,
            text=True,
        )
        assert again.returncode == 1
        assert f"process {holder.pid}, -auto" in again.stderr
        looked = subprocess.run(
            [sys.executable, "-m", "winbuild", "builddirs/b"],
            cwd=build.parents[1],
            capture_output=True,
            text=True,
        )
        assert looked.returncode == 0 and "a winbuild is at work here" in looked.stdout
    finally:
        holder.communicate("")
    assert run("builddirs/b", "-do-next") == 0


def test_garbage_in_nextstep(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("garbage\n", "77-no-such-step\n", ""):
        (build / "nextstep").write_text(text)
        for words in (["-do-next"], ["-done"], ["-auto"], []):
            assert run("builddirs/b", *words) == 1
        assert "nextstep" in capsys.readouterr().err


def test_wrong_words(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("builddirs/none", "-do-next") == 1
    assert "0-init LABEL" in capsys.readouterr().err
    assert run("builddirs/none", "0-init", "x", "--plan", "nonsense") == 2
    assert "there is no plan 'nonsense'" in capsys.readouterr().err
    assert not (project / "builddirs" / "none").exists()
