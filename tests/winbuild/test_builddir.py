from __future__ import annotations

import fcntl
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild import builddir as module
from winbuild.builddir import BuildDir, Event, now_text
from winbuild.errors import BuildDirError, BuildDirLocked, StateFileError


@pytest.fixture
def builddir(tmp_path: Path) -> BuildDir:
    return BuildDir.create(tmp_path / "b", plan="wakame", first_step="0-init")


@pytest.mark.parametrize(
    "name", ["plain", "with space", "quote'\"", "日本語", "comma,equals=", "n" * 200]
)
def test_any_name_can_be_a_build_directory(tmp_path: Path, name: str) -> None:
    made = BuildDir.create(tmp_path / name, plan="wakame", first_step="0-init")
    assert BuildDir.open(tmp_path / name).next_step_text() == "0-init"
    assert made.path.stat().st_mode & 0o777 == 0o700


def test_a_directory_with_strange_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(BuildDirError, match=r"not empty .*letter.txt"):
        BuildDir.create(tmp_path / "mine", plan="wakame", first_step="0-init")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_an_existing_build_is_refused_but_one_whose_first_step_was_killed_is_taken(
    builddir: BuildDir,
) -> None:
    assert BuildDir.create(builddir.path, plan="wakame", first_step="0-init").path == builddir.path
    builddir.set_next_step("1-setup-install")
    with pytest.raises(BuildDirError, match="is a build directory already, at step 1-setup"):
        BuildDir.create(builddir.path, plan="wakame", first_step="0-init")


def test_opening_what_is_no_build_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name, says in (
        ("nothing", "does not exist"),
        ("file", "not a directory"),
        (".", "not a build directory"),
    ):
        with pytest.raises(BuildDirError, match=says) as caught:
            BuildDir.open(tmp_path / name)
        if name == "nothing":
            assert "0-init LABEL" in (caught.value.hint or "")


@pytest.mark.parametrize("garbage", [b"", b"\x00\xff", b"rm -rf /\n", b"4 M wait", b"../../x"])
def test_garbage_in_nextstep_is_named_with_the_last_step_that_ended(
    builddir: BuildDir, garbage: bytes
) -> None:
    builddir.record(Event("end", "3-boot", now_text(), 1.0))
    builddir.file("nextstep").write_bytes(garbage)
    with pytest.raises(StateFileError, match="no step's name") as caught:
        builddir.next_step_text()
    assert "3-boot" in (caught.value.hint or "")


@given(st.binary(max_size=60))
def test_nextstep_is_a_step_name_or_an_error(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nextstep").write_bytes(raw)
        try:
            name = BuildDir(Path(folder)).next_step_text()
        except StateFileError:
            return
        assert name == "finished" or name[0].isdigit()


def test_history_survives_a_torn_line(builddir: BuildDir) -> None:
    builddir.record(Event("begin", "1-a", now_text()))
    with builddir.file("history.jsonl").open("a") as stream:
        stream.write('{"what": "end", "st')
    builddir.record(Event("begin", "1-a", now_text()))
    assert [(e.what, e.step) for e in builddir.history()] == [("begin", "1-a"), ("begin", "1-a")]
    builddir.record(Event("end", "1-a", now_text(), 2.5, produced=("x",)))
    last = json.loads(builddir.file("history.jsonl").read_text().splitlines()[-1])
    assert last["seconds"] == 2.5 and last["produced"] == ["x"]


@pytest.mark.parametrize("line", ["[]", "null", "3", '"x"', "{}", '{"what": 1, "odd": 2}'])
def test_history_passes_over_lines_that_are_no_events(builddir: BuildDir, line: str) -> None:
    builddir.file("history.jsonl").write_text(line + "\n")
    builddir.record(Event("fail", "1-a", now_text(), message="torn\u2028by\x85nothing"))
    assert [event.message for event in builddir.history()] == ["torn\u2028by\x85nothing"]


def test_an_interruption_is_known_by_its_first_try_and_forgotten_once_the_step_has_ended(
    builddir: BuildDir,
) -> None:
    builddir.set_next_step("1-a")
    assert builddir.interrupted() is None
    before = time.time()
    for _ in range(2):
        builddir.begin("1-a")
        builddir.record(Event("begin", "1-a", now_text()))
        since = builddir.interrupted_since("1-a")
        assert since is not None and abs(since - before) < 0.01
        time.sleep(0.02)
    # Killed between the end of the step and the save: it has to be recognised all the same.
    builddir.record(Event("end", "1-a", now_text()))
    assert builddir.interrupted() == "1-a" and builddir.interrupted_since("1-b") is None
    # Killed after the save.
    builddir.set_next_step("2-b")
    assert builddir.interrupted() is None and builddir.interrupted_since("1-a") is None


def test_what_a_killed_0_init_left_is_no_stranger(tmp_path: Path) -> None:
    for left in ([".PLAN.partial"], ["PLAN", ".nextstep.partial"]):
        path = tmp_path / str(len(left))
        path.mkdir()
        for name in left:
            (path / name).write_text("fetch-and-hash\n")
        made = BuildDir.create(path, plan="wakame", first_step="0-init")
        assert made.plan_name == "wakame" and made.next_step_text() == "0-init"
        assert sorted(p.name for p in path.iterdir()) == ["PLAN", "nextstep"]


def test_whoever_looks_does_not_stop_a_command(builddir: BuildDir) -> None:
    with builddir.file("lock").open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.1, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        with builddir.lock("-do-next"):
            pass


def test_a_hint_can_be_typed_where_winbuild_is_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "my venv" / "bin" / "winbuild"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(program)])
    for path, says in (
        (str(program.parent), "winbuild b"),
        ("/usr/bin", "'my venv/bin/winbuild' b"),
    ):
        monkeypatch.setenv("PATH", path)
        module._program.cache_clear()
        assert BuildDir(tmp_path / "b").command == says
    module._program.cache_clear()


def test_one_winbuild_at_a_time(builddir: BuildDir) -> None:
    assert builddir.holder() is None
    with builddir.lock("-do-next"):
        assert "-do-next" in (builddir.holder() or "")
        with (
            pytest.raises(BuildDirLocked, match=rf"process {os.getpid()}, -do-next"),
            builddir.lock("-done"),
        ):
            raise AssertionError("two at once")
    with builddir.lock("-done"):
        pass


def test_secrets_are_private_and_apart(builddir: BuildDir) -> None:
    builddir.write_params({"settings": {"IMAGESIZE": "30G"}}, {"KEY2012": "none"})
    assert builddir.file("install-secrets.toml").stat().st_mode & 0o777 == 0o600
    assert "KEY2012" not in builddir.file("install-params.toml").read_text()
    assert builddir.frozen_settings() == {"IMAGESIZE": "30G", "KEY2012": "none"}


def test_broken_params_are_an_error_with_the_way_back(builddir: BuildDir) -> None:
    builddir.file("install-params.toml").write_text("[settings\n")
    with pytest.raises(StateFileError, match="install-params") as caught:
        builddir.frozen_settings()
    assert "1-setup-install --force" in (caught.value.hint or "")


def test_numbered_logs_keep_their_number_when_made_again(builddir: BuildDir) -> None:
    first = builddir.next_numbered_logs("at-x")
    assert first.name == "logs-001-at-x.tar.gz"
    first.write_text("")
    assert builddir.next_numbered_logs("after-y").name == "logs-002-after-y.tar.gz"
    assert builddir.next_numbered_logs("at-x") == first
