"""Waits until the screen shows something: the loop behind `Screen.wait_for`.

The screen is asked for four times a second, which costs QEMU two hundredths of a processor;
only a frame that differs from the one before is looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from winbuild.deadline import Deadline
from winbuild.errors import GuestTimeout, VmError
from winbuild.screen.frame import Frame
from winbuild.screen.match import Sighting

INTERVAL_S = 0.25
# A screen that keeps changing is not read without a pause: the guest wants the processors too.
_REST_SHARE = 0.5

# An error page that flashes by on the way is none: it has to stay for so long.
ERROR_LASTS_S = 0.5
# Setup shows some of its questions for a moment although the answer file answers them.
QUESTION_LASTS_S = 15.0


class VmState(Protocol):
    @property
    def state(self) -> str:
        """running | paused | shutdown | crashed | none"""

    @property
    def cause(self) -> str: ...


class VmScreen(Protocol):
    """What of the VM the screen needs."""

    def screendump(self) -> bytes: ...
    def status(self) -> VmState: ...


@dataclass(frozen=True)
class Look:
    """One look at the screen: the frame, and what of the wanted ids it shows, best first."""

    frame: Frame
    sightings: Sequence[Sighting]


@dataclass
class Wait:
    """One wait. `look` evaluates a frame against `names` and `fail`; `describe` says in words
    what a frame shows; `wanted` is what is waited for, in words."""

    vm: VmScreen
    look: Callable[[Frame], Sequence[Sighting]]
    describe: Callable[[Frame], str]
    wanted: str
    names: frozenset[str]
    fail: frozenset[str]
    stable: int = 1
    interval_s: float = INTERVAL_S
    error_lasts_s: float = ERROR_LASTS_S
    question_lasts_s: float = QUESTION_LASTS_S
    _last: Look | None = None
    _row: int = 0
    _failing_since: dict[str, float] = field(default_factory=dict)

    def until(self, deadline: Deadline) -> Sighting:
        """The first sighting of one of `names`, seen in `stable` looks in a row.

        Raises VmError when the VM ends or a screen of `fail` stays, GuestTimeout at the
        deadline; both say what the screen shows.
        """
        while True:
            started = time.monotonic()
            self._check_vm()
            look = self._take()
            hit = next((s for s in look.sightings if s.id in self.names), None)
            self._row = self._row + 1 if hit else 0
            if hit and self._row >= self.stable:
                return hit
            if not hit:
                self._check_failures(look)
            if deadline.passed:
                self._run_out(deadline, look)
            spent = time.monotonic() - started
            rest = max(self.interval_s - spent, _REST_SHARE * spent)
            time.sleep(min(rest, deadline.remaining))

    def _check_vm(self) -> None:
        status = self.vm.status()
        # A pause without a cause is a person's, who may let it go on; the deadline still holds.
        if status.state == "running" or (status.state == "paused" and not status.cause):
            return
        cause = f" ({status.cause})" if status.cause else ""
        raise VmError(
            f"waited for {self.wanted}, but the VM is not running any more: {status.state}{cause}",
            hint=self._last_seen_hint(),
        )

    def _last_seen_hint(self) -> str | None:
        if self._last is None:
            return None
        return f"the last picture of its screen showed {self.describe(self._last.frame)}"

    def _take(self) -> Look:
        try:
            frame = Frame.from_ppm(self.vm.screendump())
        except VmError:
            # It may have ended since it was asked for its state; that is the better message.
            self._check_vm()
            raise
        if self._last is None or not frame.same_picture(self._last.frame):
            self._last = Look(frame, self.look(frame))
        return self._last

    def _check_failures(self, look: Look) -> None:
        now = time.monotonic()
        failing = {s.id: s for s in look.sightings if s.id in self.fail}
        self._failing_since = {id_: self._failing_since.get(id_, now) for id_ in failing}
        for id_, sighting in failing.items():
            asks = sighting.meaning == "needs-person"
            lasts_s = self.question_lasts_s if asks else self.error_lasts_s
            if now - self._failing_since[id_] >= lasts_s:
                raise VmError(
                    f"the screen shows {sighting.title}, instead of {self.wanted}",
                    hint=_quote(sighting),
                )

    def _run_out(self, deadline: Deadline, look: Look) -> None:
        shown = self.describe(look.frame)
        status = self.vm.status()
        paused = "; the VM is paused" if status.state == "paused" else ""
        raise GuestTimeout(f"{self.wanted}; the screen shows {shown}{paused}", deadline.seconds)


def _quote(sighting: Sighting) -> str:
    return f'it says: "{"; ".join(text.read for text in sighting.texts)}"'
