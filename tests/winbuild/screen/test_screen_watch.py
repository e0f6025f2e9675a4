"""The wait: it ends at the first sight of what is wanted, at a failure, and in time."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from screen_world import FilmVm, Status, plain_frame

from winbuild.deadline import Deadline
from winbuild.errors import GuestTimeout, VmError
from winbuild.screen.areas import Box
from winbuild.screen.definition import Meaning
from winbuild.screen.frame import Frame
from winbuild.screen.lines import Found
from winbuild.screen.match import Sighting
from winbuild.screen.watch import Wait

BLACK, RED, GREEN, BLUE = (
    plain_frame(rgb) for rgb in ((0,) * 3, (255, 0, 0), (0, 255, 0), (0, 0, 255))
)
SCREENS = {
    (255, 0, 0): ("error", "an error page"),
    (0, 255, 0): ("wanted", "the wanted page"),
    (0, 0, 255): ("question", "a question"),
}
MEANINGS: dict[str, Meaning] = {
    "error": "error",
    "wanted": "expected",
    "question": "needs-person",
}


def see(frame: Frame) -> list[Sighting]:
    red, green, blue = (int(value) for value in frame.pixels[0, 0])
    if (red, green, blue) not in SCREENS:
        return []
    id_, title = SCREENS[red, green, blue]
    found = Found(Box(0, 0, 1, 1), 1.0, f"text of {id_}")
    return [Sighting(id_, title, MEANINGS[id_], "full", 1.0, "en", "v", (found,))]


def wait(vm: FilmVm, *, stable: int = 1, looks: list[Frame] | None = None) -> Wait:
    def look(frame: Frame) -> Sequence[Sighting]:
        if looks is not None:
            looks.append(frame)
        return see(frame)

    return Wait(
        vm=vm,
        look=look,
        describe=lambda frame: see(frame)[0].title if see(frame) else "nothing",
        wanted="the wanted page",
        names=frozenset({"wanted"}),
        fail=frozenset({"error", "question"}),
        stable=stable,
        interval_s=0.01,
        error_lasts_s=0.08,
        question_lasts_s=0.3,
    )


def test_it_returns_what_was_waited_for_soon_after_it_appears() -> None:
    vm = FilmVm([BLACK, BLACK, GREEN], step_s=0.1)
    started = time.monotonic()
    assert wait(vm).until(Deadline(5)).id == "wanted"
    assert 0.2 <= time.monotonic() - started < 0.4


def test_a_frame_that_has_not_changed_is_not_looked_at_again() -> None:
    looks: list[Frame] = []
    wait(FilmVm([BLACK, BLUE, GREEN], step_s=0.1), looks=looks).until(Deadline(5))
    assert len(looks) == 3


def test_it_looks_once_even_when_the_time_is_over() -> None:
    assert wait(FilmVm([GREEN])).until(Deadline(0)).id == "wanted"


def test_stable_means_so_many_looks_in_a_row() -> None:
    vm = FilmVm([GREEN, BLACK, GREEN, GREEN, GREEN, GREEN, GREEN], step_s=0.03)
    wait(vm, stable=6).until(Deadline(5))
    assert vm.dumps > 6


def test_the_deadline_says_what_was_waited_for_and_what_is_there() -> None:
    with pytest.raises(GuestTimeout, match="for the wanted page; the screen shows nothing"):
        wait(FilmVm([BLACK])).until(Deadline(0.05))


def test_a_paused_vm_is_waited_for_and_mentioned() -> None:
    vm = FilmVm([BLACK], step_s=0.0001, end=Status("paused"))
    with pytest.raises(GuestTimeout, match="the VM is paused"):
        wait(vm).until(Deadline(0.05))


@pytest.mark.parametrize(
    "end",
    [
        Status("shutdown", "guest-shutdown"),
        Status("crashed", "killed by signal 9"),
        Status("paused", "the host's disk is full"),
    ],
)
def test_the_end_of_the_vm_ends_the_wait_at_once(end: Status) -> None:
    started = time.monotonic()
    with pytest.raises(VmError) as caught:
        wait(FilmVm([BLACK, BLACK], step_s=0.05, end=end)).until(Deadline(30))
    assert not isinstance(caught.value, GuestTimeout)
    assert time.monotonic() - started < 2
    assert end.state in caught.value.message and end.cause in caught.value.message
    assert "the last picture" in (caught.value.hint or "")


def test_a_dump_that_fails_because_the_vm_ended_tells_of_the_end() -> None:
    class Ends(FilmVm):
        asked = 0

        def status(self) -> Status:
            self.asked += 1
            return Status() if self.asked == 1 else Status("crashed", "killed by signal 9")

    with pytest.raises(VmError, match="killed by signal 9"):
        wait(Ends([BLACK])).until(Deadline(5))


def test_an_error_page_that_stays_ends_the_wait_and_is_quoted() -> None:
    started = time.monotonic()
    with pytest.raises(VmError, match="shows an error page, instead of the wanted page") as caught:
        wait(FilmVm([BLACK, RED])).until(Deadline(30))
    assert time.monotonic() - started < 2
    assert caught.value.hint == 'it says: "text of error"'


def test_an_error_page_that_flashes_by_is_none() -> None:
    assert wait(FilmVm([RED, BLACK, BLACK, RED, GREEN], step_s=0.03)).until(Deadline(5))


def test_a_question_may_stay_longer_than_an_error() -> None:
    assert wait(FilmVm([BLUE, BLUE, GREEN], step_s=0.07)).until(Deadline(5))
    with pytest.raises(VmError, match="a question"):
        wait(FilmVm([BLUE])).until(Deadline(30))
