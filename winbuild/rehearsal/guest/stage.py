"""The stage on which the guest plays: windows on a screen, and tasks that take turns.

Everything that goes on at the same time (a script, an installer's pages, the clock) is a
generator, run by `Stage.run` in one thread. A task yields what it waits for:

- a number: so many seconds,
- a `Window`: the next key or click in that window,
- `(window, seconds)`: the same, or None when the time is over,
- a `Task`: its end; the value is what that task returned.

So a test can run an hour of Windows in no time: the clock and the inputs are given. Events
in a window that no task waits for are lost, as with a program that is busy. Imports Pillow.
"""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

from PIL import Image

from . import widgets
from .contract import System
from .display import Box, Display
from .keyboard import Event, KeyEvent, PointerEvent
from .looks import Look
from .texts import Texts

T = TypeVar("T")
Steps = Generator[Any, Any, T]


class InputSource(Protocol):
    """What the stage needs of `inputs.Inputs`."""

    def next_event(self, timeout_s: float | None = None) -> Event | None: ...

    def use_layout(self, name: str) -> None: ...


class Window:
    """A surface on the screen. Whoever draws on `image` says `changed` afterwards."""

    def __init__(
        self,
        left: int,
        top: int,
        image: Image.Image,
        *,
        takes_focus: bool = True,
        layer: int = 1,
        on_focus: Callable[[bool], None] | None = None,
    ) -> None:
        self.left, self.top = left, top
        self.image = image
        self.takes_focus = takes_focus
        self.layer = layer  # 0 is the background, 1 windows, 2 what is always on top
        self.on_focus = on_focus
        self.on_paint: Callable[[], None] | None = None  # draws what is due, just before it shows
        self.stage: Stage | None = None
        self.waiter: Task[Any] | None = None

    @property
    def box(self) -> Box:
        return (
            self.left,
            self.top,
            self.left + self.image.width,
            self.top + self.image.height,
        )

    def contains(self, x: int, y: int) -> bool:
        left, top, right, bottom = self.box
        return left <= x < right and top <= y < bottom

    def changed(self, box: Box | None = None) -> None:
        """Show it anew; `box` in the window's own pixels, if only that part changed."""
        if self.stage is None:
            return
        part = box or (0, 0, self.image.width, self.image.height)
        self.stage.damage(
            (self.left + part[0], self.top + part[1], self.left + part[2], self.top + part[3])
        )


class Task(Generic[T]):
    """A generator that is being run. `done` and `result` tell its end."""

    def __init__(self, steps: Steps[T]) -> None:
        self.steps = steps
        self.done = False
        self.result: T | None = None
        self.turn = 0  # grows with every resumption: an old timer knows that it is stale
        self.waiting_for: Window | None = None
        self.on_end: list[Task[Any]] = []


class Stage:
    """Windows, tasks, and what they share: texts, look, the machine, chance."""

    def __init__(
        self,
        display: Display,
        inputs: InputSource,
        system: System,
        texts: Texts,
        look: Look,
        *,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.display, self.inputs, self.system = display, inputs, system
        self.texts, self.look = texts, look
        self.chance = chance or random.Random()
        self.clock = clock
        self.size = display.size
        self.windows: list[Window] = []  # from the back to the front
        self.backdrop = Window(0, 0, Image.new("RGB", self.size), takes_focus=False, layer=0)
        self.ending = False  # the machine is going off: nothing new is to begin
        self._timers: list[tuple[float, int, int, Task[Any]]] = []
        self._order = itertools.count()
        self._damage: Box | None = None
        self._slow = float(system.switch("slow") or 1)
        self.show_window(self.backdrop)

    # ---- windows

    def set_backdrop(self, image: Image.Image) -> None:
        """A new background; windows stay where they are."""
        self.backdrop.image = image
        self.backdrop.changed()

    def show_window(self, window: Window, *, behind: bool = False) -> None:
        """Put `window` in front of its layer, or behind the others of it."""
        before = self.focused()
        if window in self.windows:
            self.windows.remove(window)
        window.stage = self
        below = [
            w
            for w in self.windows
            if w.layer < window.layer or (w.layer == window.layer and not behind)
        ]
        self.windows.insert(len(below), window)
        self._tell_focus(before)
        window.changed()

    def hide_window(self, window: Window) -> None:
        """Take `window` off the screen; it can be shown again."""
        if window in self.windows:
            before = self.focused()
            window.changed()
            self.windows.remove(window)
            window.stage = None
            self._tell_focus(before)

    def hide_all(self) -> None:
        """Only the background stays."""
        for window in [w for w in self.windows if w is not self.backdrop]:
            self.hide_window(window)

    def focused(self) -> Window | None:
        """The window that gets the keys; the background when there is none."""
        able = [w for w in self.windows if w.takes_focus]
        return able[-1] if able else (self.windows[0] if self.windows else None)

    def _tell_focus(self, before: Window | None) -> None:
        after = self.focused()
        if after is before:
            return
        for window, has_it in ((before, False), (after, True)):
            if window is not None and window.on_focus is not None:
                window.on_focus(has_it)

    def damage(self, box: Box) -> None:
        """This part of the screen has to be shown anew."""
        old = self._damage or box
        left, top = min(old[0], box[0]), min(old[1], box[1])
        self._damage = (left, top, max(old[2], box[2]), max(old[3], box[3]))

    def paint(self) -> None:
        """Show what has changed since the last time."""
        for window in self.windows:
            if window.on_paint is not None:
                window.on_paint()
        if self._damage is None:
            return
        left, top = max(0, self._damage[0]), max(0, self._damage[1])
        right, bottom = min(self.size[0], self._damage[2]), min(self.size[1], self._damage[3])
        self._damage = None
        if left >= right or top >= bottom:
            return
        part = self.backdrop.image.crop((left, top, right, bottom))
        for window in self.windows[1:]:
            box = window.box
            if box[0] < right and box[2] > left and box[1] < bottom and box[3] > top:
                part.paste(window.image, (window.left - left, window.top - top))
        self._keep_note(part, left, top)
        self.display.show_part(part, left, top)

    def _keep_note(self, part: Image.Image, left: int, top: int) -> None:
        """The note stays readable whatever window lies over its corner."""
        box = widgets.note_box(self.size)
        covers = any(
            w.box[0] < box[2] and w.box[2] > box[0] and w.box[1] < box[3] and w.box[3] > box[1]
            for w in self.windows[1:]
            if w.layer == 1
        )
        if covers and left < box[2] and top < box[3]:
            whole = Image.new("RGB", self.size)
            widgets.note(whole)
            part.paste(whole.crop(box), (box[0] - left, box[1] - top))

    # ---- time

    def pause(self, low_s: float = 0.3, high_s: float = 2.0) -> float:
        """A while that nobody can rely on, in seconds. To be yielded."""
        return self.chance.uniform(low_s, high_s) * self._slow

    # ---- tasks

    def start(self, steps: Steps[T]) -> Task[T]:
        """Run `steps` beside all others, from now on."""
        task: Task[T] = Task(steps)
        self._at(self.clock(), task)
        return task

    def stop(self, task: Task[Any]) -> None:
        """End a task where it stands (its `finally` parts run)."""
        if not task.done:
            self._forget_wait(task)
            task.steps.close()
            self._finish(task, None)

    def run(self, steps: Steps[T]) -> T:
        """Run `steps`, and whatever it starts, until it has ended. Returns what it returned."""
        main = self.start(steps)
        while not main.done:
            self._run_due()
            self.paint()
            if main.done:
                break
            event = self.inputs.next_event(self._next_timer_s())
            while event is not None:
                self._dispatch(event)
                event = self.inputs.next_event(0)
        return main.result  # type: ignore[return-value]  # it has ended, so this is a T

    def _next_timer_s(self) -> float | None:
        while self._timers and self._stale(self._timers[0]):
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - self.clock()) if self._timers else None

    @staticmethod
    def _stale(timer: tuple[float, int, int, Task[Any]]) -> bool:
        return timer[3].done or timer[3].turn != timer[2]

    def _run_due(self) -> None:
        now = self.clock()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)
            if not self._stale(timer):
                self._resume(timer[3], None)

    def _at(self, when: float, task: Task[Any]) -> None:
        heapq.heappush(self._timers, (when, next(self._order), task.turn, task))

    def _resume(self, task: Task[Any], value: Any) -> None:
        while True:
            self._forget_wait(task)
            task.turn += 1
            try:
                wanted = task.steps.send(value)
            except StopIteration as end:
                self._finish(task, end.value)
                return
            if isinstance(wanted, Task) and wanted.done:
                value = wanted.result
                continue
            break
        if isinstance(wanted, Task):
            wanted.on_end.append(task)
            return
        if isinstance(wanted, tuple):
            window, seconds = wanted
            self._listen(task, window)
            self._at(self.clock() + seconds, task)
        elif isinstance(wanted, Window):
            self._listen(task, wanted)
        else:
            self._at(self.clock() + float(wanted), task)

    def _listen(self, task: Task[Any], window: Window) -> None:
        task.waiting_for, window.waiter = window, task

    def _forget_wait(self, task: Task[Any]) -> None:
        if task.waiting_for is not None and task.waiting_for.waiter is task:
            task.waiting_for.waiter = None
        task.waiting_for = None

    def _finish(self, task: Task[Any], result: Any) -> None:
        task.done, task.result = True, result
        for other in task.on_end:
            if not other.done:
                self._resume(other, result)

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, KeyEvent):
            target = self.focused()
        else:
            self.display.move_pointer(event.x, event.y)
            target = self._window_at(event)
        if target is not None and target.waiter is not None:
            self._resume(target.waiter, event)

    def _window_at(self, event: PointerEvent) -> Window:
        hit = next(
            w for w in reversed(self.windows) if w.contains(event.x, event.y) or w.layer == 0
        )
        if event.pressed and hit.takes_focus and hit is not self.focused():
            self.show_window(hit)
        return hit
