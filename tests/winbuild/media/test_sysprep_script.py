"""The text of run-sysprep.cmd. Wine runs it in tests/real/test_guest_cmd.py."""

from __future__ import annotations

import pytest

from winbuild.errors import MediaError
from winbuild.media.sysprep_script import run_sysprep_cmd

KEY = "BCDFG-HJKMN-PQRTV-WXY23-46789"


def test_it_is_a_windows_text_file() -> None:
    script = run_sysprep_cmd(KEY, "agent.exe")
    assert script.isascii()
    assert script.count(b"\r\n") == script.count(b"\n") == script.count(b"\r")
    assert script.startswith(b"@echo off\r\n") and script.endswith(b"\r\n")


def test_every_jump_has_its_label_and_every_label_a_jump() -> None:
    for key in (None, KEY):
        lines = run_sysprep_cmd(key, "agent.exe").decode().splitlines()
        jumps = {line.rsplit("goto ", 1)[1] for line in lines if "goto " in line}
        assert jumps == {line[1:] for line in lines if line.startswith(":")}


def test_without_a_key_it_does_not_touch_the_key() -> None:
    script = run_sysprep_cmd(None, "agent.exe").decode()
    assert "slmgr" not in script and "key" not in script


def test_a_name_cannot_pull_the_key_into_another_line() -> None:
    script = run_sysprep_cmd(KEY, "a ${key} 100%.exe").decode()
    assert script.count(KEY) == 1
    assert r'"%~dp0a ${key} 100%%.exe"' in script


@pytest.mark.parametrize("name", ["", 'a".exe', "エージェント.exe", "a\n.exe", "x/y.exe"])
def test_a_name_that_a_script_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(MediaError, match="cannot be used in a Windows script") as caught:
        run_sysprep_cmd(None, name)
    assert caught.value.hint is not None and "rename" in caught.value.hint
