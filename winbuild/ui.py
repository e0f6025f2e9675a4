"""What a person sees while winbuild works.

Results go to stdout; everything about work in progress goes to stderr: a bar in a terminal,
plain lines otherwise, nothing with --quiet.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """One long piece of work. Amounts are in the unit given to `Ui.progress`."""

    def advance(self, amount: float) -> None: ...
    def describe(self, text: str) -> None: ...


class Ui(Protocol):
    def say(self, text: str = "") -> None:
        """A line for the person (stderr)."""

    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> AbstractContextManager[Progress]:
        """Context manager that gives a `Progress`; `total` None means: length not known."""


class QuietUi:
    """Says nothing: --quiet, and the base of fakes in tests."""

    def say(self, text: str = "") -> None:
        pass

    @contextmanager
    def _silence(self) -> Iterator[Progress]:
        yield _Silent()

    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> AbstractContextManager[Progress]:
        return self._silence()


class _Silent:
    def advance(self, amount: float) -> None:
        pass

    def describe(self, text: str) -> None:
        pass


class ConsoleUi:
    """A bar that redraws itself in a terminal; elsewhere a line now and then.

    A thread keeps the time shown going while the work itself says nothing: most of a build is
    waiting for Windows.
    """

    PLAIN_INTERVAL_S = 30.0
    BAR_INTERVAL_S = 0.1
    TICK_S = 1.0
    WORTH_SAYING_S = 1.0

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._tty = self._stream.isatty()
        self._line_open = False
        self._writing = threading.RLock()

    def say(self, text: str = "") -> None:
        with self._writing:
            self.clear_bar()
            print(text, file=self._stream, flush=True)

    def clear_bar(self) -> None:
        with self._writing:
            if self._line_open:
                self._stream.write("\r\x1b[K")
                self._line_open = False

    @contextmanager
    def _running(self, label: str, total: float | None, unit: str) -> Iterator[Progress]:
        bar = _Bar(self, label, total, unit)
        ended = threading.Event()

        def keep_time() -> None:
            while not ended.wait(self.TICK_S):
                bar.refresh()

        ticker = threading.Thread(target=keep_time, daemon=True)
        ticker.start()
        finished = False
        try:
            yield bar
            finished = True
        finally:
            ended.set()
            ticker.join()
            bar.close(finished=finished)

    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> AbstractContextManager[Progress]:
        return self._running(label, total, unit)

    def _show(self, text: str) -> None:
        with self._writing:
            if self._tty:
                width = os.get_terminal_size(self._stream.fileno()).columns or 80
                self._stream.write(f"\r\x1b[K{text[: max(10, width - 1)]}")
                self._line_open = True
            else:
                self._stream.write(text + "\n")
            self._stream.flush()


class _Bar:
    def __init__(self, ui: ConsoleUi, label: str, total: float | None, unit: str) -> None:
        self._ui, self._label, self._total, self._unit = ui, label, total, unit
        self._done = 0.0
        self._note = ""
        self._started = time.monotonic()
        self._last_shown = self._started if not ui._tty else 0.0

    def advance(self, amount: float) -> None:
        self._done += amount
        self.refresh()

    def describe(self, text: str) -> None:
        changed, self._note = text != self._note, text
        self.refresh(force=changed and not self._ui._tty)

    def refresh(self, *, force: bool = False) -> None:
        now = time.monotonic()
        interval = self._ui.BAR_INTERVAL_S if self._ui._tty else self._ui.PLAIN_INTERVAL_S
        if force or now - self._last_shown >= interval:
            self._last_shown = now
            self._ui._show(self._text(now - self._started))

    def _text(self, elapsed: float) -> str:
        parts = [self._label]
        if self._total:
            share = min(1.0, self._done / self._total)
            filled = round(share * 24)
            if self._ui._tty:
                parts.append(f"[{'#' * filled}{'.' * (24 - filled)}]")
            parts.append(f"{share:4.0%}")
            if self._done and elapsed > 1:
                rate = self._done / elapsed
                parts.append(f"{_amount(rate, self._unit)}/s")
                parts.append(f"{duration_text((self._total - self._done) / rate)} left")
        else:
            parts.append(duration_text(elapsed))
        if self._note:
            parts.append(self._note)
        return "  ".join(parts)

    def close(self, *, finished: bool) -> None:
        elapsed = time.monotonic() - self._started
        self._ui.clear_bar()
        if finished and elapsed > self._ui.WORTH_SAYING_S:
            self._ui._stream.write(f"{self._label}  done in {duration_text(elapsed)}\n")
            self._ui._stream.flush()


def _amount(value: float, unit: str) -> str:
    if unit == "B":
        for prefix in ("B", "KiB", "MiB", "GiB"):
            if value < 1024 or prefix == "GiB":
                return f"{value:.1f} {prefix}"
            value /= 1024
    return f"{value:.1f} {unit}".rstrip()


def duration_text(seconds: float) -> str:
    """`75.2` → `1:15`, the form of a stopwatch; below a minute `12 s`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"
