"""The state machine that leads from one step of a plan to the next.

States are the names of the steps and `finished`; the current state is the file `nextstep`. A
transition's `before` callback performs the step, so an exception leaves the state where it
was; `after_state_change` saves. A winbuild that is killed in between repeats one step.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from transitions import EventData, Machine

from winbuild.builddir import FINISHED, BuildDir, Event, now_text
from winbuild.errors import (
    BuildDirError,
    OperatorActionNeeded,
    StateFileError,
    UsageError,
    WinbuildError,
)
from winbuild.plan import Plan
from winbuild.step import ManualStep, Step, StepContext, expand_generation

_GENERATION = re.compile(r"\bgen(\d+)\b")

# Called when a step has failed; adds evidence to the error.
OnFailure = Callable[[StepContext, BaseException], object]


class Walk:
    """A plan being walked in a build directory. The caller holds the directory's lock for
    everything but looking."""

    def __init__(
        self,
        plan: Plan,
        builddir: BuildDir,
        make_context: Callable[[int, str], StepContext],
        on_failure: OnFailure | None = None,
    ) -> None:
        self.plan = plan
        self.builddir = builddir
        self._make_context = make_context
        self._on_failure = on_failure
        self.state, self.generation = self._position()
        self._machine = Machine(
            model=self,
            states=[*(step.name for step in plan.steps), FINISHED],
            initial=self.state,
            # The default would add a trigger `to_STATE` for each state, which skips steps.
            auto_transitions=False,
            send_event=True,
            after_state_change=self._save,
        )
        for transition in _transitions(plan):
            self._machine.add_transition(
                trigger=transition.trigger,
                source=transition.source,
                dest=transition.dest,
                before=self._perform,
                after=self._begin_generation if transition.new_generation else None,
            )

    # -- where it stands -----------------------------------------------------------------

    def _position(self) -> tuple[str, int]:
        """State and generation from `nextstep`: `1001-gen2-first-boot` is the third cycle."""
        text = self.builddir.next_step_text()
        name = self.template(text)
        match = _GENERATION.search(text)
        generation = int(match[1]) if match else 0
        if name != FINISHED and self.plan.step(name) is None:
            raise StateFileError(
                f"{self.builddir.file('nextstep')} holds {text!r}, and the plan "
                f"{self.plan.name!r} has no such step",
                hint=f"the steps are listed by: winbuild steps {self.plan.name}; the last one "
                f"that ended here was {self.builddir.last_ended() or 'none'}",
            )
        return name, generation

    @property
    def finished(self) -> bool:
        return self.state == FINISHED

    @property
    def next_step(self) -> Step | None:
        """The step to do next; None when finished."""
        return None if self.finished else self.plan.step(self.state)

    @property
    def next_name(self) -> str:
        """What `nextstep` says."""
        return expand_generation(self.state, self.generation)

    @staticmethod
    def template(name: str) -> str:
        """`1001-gen2-first-boot` → `1001-genN-first-boot`, the name in the plan."""
        return _GENERATION.sub("genN", name)

    def context(self, step: Step) -> StepContext:
        return self._make_context(self.generation, expand_generation(step.name, self.generation))

    # -- going on ------------------------------------------------------------------------

    def do_next(self) -> Step:
        """Perform the next step, which must be an automated one. Returns it.

        Raises OperatorActionNeeded with the instructions if it is for a person.
        """
        self._require_no_detour()
        step = self._require_step()
        if isinstance(step, ManualStep):
            raise OperatorActionNeeded(
                f"{self.next_name} is for a person: {step.instructions}",
                hint=f"when it is done: {self.builddir.command} -done; or let winbuild do "
                f"it: {self.builddir.command} -auto --one-step",
            )
        self._trigger("perform")
        return step

    def done(self, *, force: bool = False) -> Step:
        """Confirm the next step, which must be a manual one. Returns it.

        Raises CheckFailed if the machine sees that it is not done, unless `force`.
        """
        self._require_no_detour()
        step = self._require_step()
        if not isinstance(step, ManualStep):
            raise UsageError(
                f"{self.next_name} is an automated step; there is nothing to confirm",
                hint=f"to run it: {self.builddir.command} -do-next",
            )
        self._trigger("confirm", force=force)
        return step

    def run_step(self, name: str, *, force: bool = False, arguments: tuple[str, ...] = ()) -> Step:
        """Run the step of that name (with genN or the number of the current cycle).

        Out of order only with `force`; the walk then goes on behind that step.
        """
        step = self.plan.step(self.template(name))
        if step is None:
            raise UsageError(
                f"the plan {self.plan.name!r} has no step {name!r}",
                hint=f"the steps are listed by: winbuild steps {self.plan.name}",
            )
        in_order = step.name == self.state or step is self.plan.closing
        if not in_order and not force:
            raise UsageError(
                f"{name} is out of order: the next step is {self.next_name}",
                hint=f"to run it all the same: {self.builddir.command} {name} --force",
            )
        cycle = _GENERATION.search(name)
        if cycle and int(cycle[1]) != self.generation:
            raise UsageError(
                f"{name} belongs to another cycle: this build is in gen{self.generation}",
                hint=f"{self.builddir.command} {expand_generation(step.name, self.generation)}",
            )
        before = self.state
        self._machine.set_state(step.name)
        try:
            if step.manual:
                self._trigger("confirm", force=force)
            else:
                self._trigger("perform", arguments=arguments)
        except BaseException:
            self._machine.set_state(before)
            raise
        return step

    def auto(
        self,
        *,
        stop_before: Callable[[Step, str], bool],
        one_step: bool = False,
        on_step: Callable[[Step, str], None] | None = None,
        after_step: Callable[[Step, StepContext, float], None] | None = None,
    ) -> None:
        """Go on, performing manual steps too, until `stop_before(step, name)` holds, one
        cycle of a looping walk has ended, or the walk is finished."""
        self._require_no_detour()
        generation = self.generation
        while (step := self.next_step) is not None:
            if stop_before(step, self.next_name) or self.generation != generation:
                return
            if on_step:
                on_step(step, self.next_name)
            started = time.monotonic()
            ctx = self.context(step)
            self._trigger("confirm" if step.manual else "perform", automate=True)
            if after_step:
                after_step(step, ctx, time.monotonic() - started)
            if one_step:
                return

    def _require_no_detour(self) -> None:
        """Raise if a winbuild was killed in a step that is not the next one (run with --force):
        it may have left the build in any state, and the walk must not go on over that."""
        left = self.builddir.interrupted()
        if left is None or left == self.next_name:
            return
        raise BuildDirError(
            f"{left} was interrupted, and it is not the next step ({self.next_name})",
            hint=f"do it again, to go on behind it: {self.builddir.command} {left} --force; "
            f"to forget about it: rm {shlex.quote(str(self.builddir.file(f'doing-{left}')))}",
        )

    def _require_step(self) -> Step:
        step = self.next_step
        if step is None:
            raise UsageError(
                "this build is finished", hint=f"to look at it: {self.builddir.command}"
            )
        return step

    def _trigger(self, name: str, **kwargs: object) -> None:
        self._machine.events[name].trigger(self, **kwargs)

    # -- callbacks of the machine --------------------------------------------------------

    def _perform(self, event: EventData) -> None:
        step = self._require_step()
        ctx = self.context(step)
        if arguments := event.kwargs.get("arguments"):
            ctx = replace(ctx, arguments=arguments)
        force, automate = event.kwargs.get("force", False), event.kwargs.get("automate", False)
        ctx = replace(ctx, interrupted_since=self.builddir.interrupted_since(ctx.step))
        retried = self.builddir.last_try_failed(ctx.step)
        if ctx.interrupted_since is None:
            self.builddir.end_doing()
        started = time.monotonic()
        self.builddir.begin(ctx.step)
        self.builddir.record(Event("begin", ctx.step, now_text()))
        try:
            if automate:
                step.prepare(ctx)
            if isinstance(step, ManualStep):
                if automate and not (retried and step.is_done(ctx)):
                    step.automate(ctx)
            else:
                step.run(ctx)
            if not (step.manual and force):
                step.verify(ctx)
        except BaseException as exc:
            self._failed(ctx, exc, time.monotonic() - started)
            raise
        self.builddir.record(
            Event(
                "confirm" if step.manual and not automate else "end",
                ctx.step,
                now_text(),
                seconds=round(time.monotonic() - started, 3),
                produced=tuple(ctx.expand(name) for name in step.produces),
                message="confirmed with --force" if force and step.manual else "",
            )
        )

    def _failed(self, ctx: StepContext, exc: BaseException, seconds: float) -> None:
        if isinstance(exc, KeyboardInterrupt):
            return  # as if winbuild had been killed: the next try looks at what is there
        if self._on_failure and not isinstance(exc, OperatorActionNeeded):
            self._on_failure(ctx, exc)
        message = exc.message if isinstance(exc, WinbuildError) else f"{type(exc).__name__}: {exc}"
        # On a full disk nothing can be written; the failure itself must still be told.
        with suppress(OSError):
            self.builddir.record(
                Event("fail", ctx.step, now_text(), seconds=round(seconds, 3), message=message)
            )
            self.builddir.end_doing()

    def _begin_generation(self, event: EventData) -> None:
        self.generation += 1

    def _save(self, event: EventData) -> None:
        self.builddir.set_next_step(self.next_name)
        self.builddir.end_doing()


class _Transition:
    def __init__(self, step: Step, dest: str) -> None:
        self.trigger = "confirm" if step.manual else "perform"
        self.source = step.name
        self.dest = dest
        self.new_generation = step.new_generation


def _transitions(plan: Plan) -> Iterable[_Transition]:
    for step in plan.steps:
        successor = plan.successor(step)
        yield _Transition(step, successor.name if successor else FINISHED)


def mermaid(plan: Plan) -> str:
    """The walk as a Mermaid state diagram, drawn from the machine's own transitions."""
    lines = ["stateDiagram-v2"]
    ids = {step.name: f"s{index}" for index, step in enumerate(plan.steps)}
    ids[FINISHED] = "[*]"
    for step in plan.steps:
        lines.append(f'    state "{step.name}" as {ids[step.name]}')
    lines.append(f"    [*] --> {ids[plan.steps[0].name]}")
    for transition in _transitions(plan):
        label = "-done" if transition.trigger == "confirm" else "-do-next"
        if transition.new_generation:
            label += ", N + 1"
        lines.append(f"    {ids[transition.source]} --> {ids[transition.dest]}: {label}")
    manual = " ".join(f"{ids[step.name]}" for step in plan.steps if step.manual)
    if manual:
        lines.append("    classDef manual stroke-dasharray: 5 5")
        lines.append(f"    class {','.join(manual.split())} manual")
    return "\n".join(lines) + "\n"
