"""What a person sees while winbuild works, in a pipe and in a terminal."""

from __future__ import annotations

import io
import os
import pty
import time

import pytest

from winbuild.ui import ConsoleUi, duration_text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (75.2, "1:15"), (3725, "1:02:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_pipe_gets_plain_lines_even_while_the_work_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConsoleUi, "TICK_S", 0.02)
    monkeypatch.setattr(ConsoleUi, "PLAIN_INTERVAL_S", 0.05)
    stream = io.StringIO()
    ui = ConsoleUi(stream)
    give_up = time.monotonic() + 10
    with ui.progress("waiting for Windows"):
        while stream.getvalue().count("waiting for Windows") < 3:
            assert time.monotonic() < give_up
            time.sleep(0.01)
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()


def test_a_terminal_gets_a_bar_that_is_gone_when_a_line_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConsoleUi, "WORTH_SAYING_S", 0.0)
    ours, theirs = pty.openpty()
    shown = ""
    with os.fdopen(theirs, "w") as stream:
        ui = ConsoleUi(stream)
        with ui.progress("packing", 100, "B") as bar:
            bar.advance(50)
            ui.say("a line")
            bar.advance(50)
        print("the end", file=stream, flush=True)
        while "the end" not in shown:
            shown += os.read(ours, 65536).decode()
    os.close(ours)
    assert " 50%" in shown and "############............" in shown
    assert "\r\x1b[Ka line" in shown
    assert "packing  done in 0 s" in shown


def test_broken_off_work_is_not_called_done() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), ConsoleUi(stream).progress("packing"):
        raise KeyError
    assert "done" not in stream.getvalue()
