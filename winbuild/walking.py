"""The commands that walk: each holds the directory's lock from beginning to end, says what it
is about to do, and ends with the new `nextstep` and what a person does now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from winbuild import evidence, render
from winbuild.builddir import BuildDir
from winbuild.errors import UsageError, WinbuildError
from winbuild.machine import Walk
from winbuild.plan import load_plan
from winbuild.session import Session
from winbuild.step import Step, StepContext

SCREENSHOT_FOLDER = "screenshots"


def init_build(session: Session, label: str, plan_name: str) -> None:
    """0-init: make the directory and walk its first step."""
    plan = load_plan(plan_name, session.unfrozen.settings.plans)
    first = plan.steps[0]
    first.accept((label,))
    builddir = BuildDir.create(session.path, plan=plan_name, first_step=first.name)
    with builddir.lock(first.name):
        _link_last_dir(builddir)
        render.print_start(builddir, first.name, first)
        walk = session.walk()
        walk.run_step(first.name, arguments=(label,))
        render.print_end(builddir, walk, first)


def do_next(session: Session) -> None:
    """Perform the next step if it is automated; OperatorActionNeeded if it is not."""
    with _walking(session, "-do-next") as walk:
        step = walk.next_step
        if step is not None and not step.manual:
            render.print_start(session.builddir, walk.next_name, step)
        with _named(walk):
            done_step = walk.do_next()
        render.print_end(session.builddir, walk, done_step)


def done(session: Session, *, force: bool) -> None:
    """Confirm the manual step that is next."""
    with _walking(session, "-done") as walk:
        with _named(walk):
            step = walk.done(force=force)
        render.print_end(session.builddir, walk, step)


def run_step(session: Session, name: str, *, force: bool) -> None:
    """Run the step of that name."""
    with _walking(session, name) as walk:
        step = walk.plan.step(name)
        if step is not None:
            render.print_start(session.builddir, name, step)
        with _named(walk, name):
            done_step = walk.run_step(name, force=force)
        render.print_end(session.builddir, walk, done_step)


def auto(session: Session, *, milestone: str | None, stop_at: str | None, one_step: bool) -> None:
    """Go on hands-free to a milestone, to a step, by one step, or to the end of a cycle."""
    with _walking(session, "-auto") as walk:
        stop_before = _stop(walk, milestone, stop_at)
        with _named(walk):
            walk.auto(
                stop_before=stop_before,
                one_step=one_step,
                on_step=lambda step, name: render.say_step_begins(
                    session.ui, walk.plan, name, step
                ),
                after_step=lambda step, ctx, seconds: _after_auto_step(session, step, ctx, seconds),
            )
        render.print_end(session.builddir, walk, None)


def _stop(walk: Walk, milestone: str | None, stop_at: str | None) -> Callable[[Step, str], bool]:
    """Whether to stop before a step: it is named, or the milestone has been reached by it, be it
    long ago. Raises UsageError for what the plan does not have or what lies behind."""
    plan = walk.plan
    numbers = {step.name: number for number, step in enumerate(plan.steps)}
    reached = next((step for step in plan.steps if step.milestone == milestone), None)
    if milestone and reached is None:
        raise UsageError(f"the plan {plan.name!r} has no milestone {milestone!r}")
    wanted = plan.step(walk.template(stop_at)) if stop_at else None
    if stop_at and wanted is None:
        raise UsageError(
            f"--stop-at {stop_at}: there is no such step",
            hint=f"the steps are listed by: winbuild steps {plan.name}",
        )
    returned_to = {step.leads_to for step in plan.steps}
    if (
        wanted is not None
        and walk.next_step is not None
        and numbers[wanted.name] < numbers[walk.state]
        and wanted.name not in returned_to
    ):
        raise UsageError(f"--stop-at {stop_at}: the walk is past it, at {walk.next_name}")

    def stop_before(step: Step, name: str) -> bool:
        if milestone and reached is not None and numbers[step.name] >= numbers[reached.name]:
            return True
        return stop_at in (name, step.name)

    return stop_before


def _after_auto_step(session: Session, step: Step, ctx: StepContext, seconds: float) -> None:
    render.say_step_ended(session.ui, ctx.step, seconds)
    if step.manual and ctx.vm.status().pid is not None:
        folder = ctx.builddir.file(SCREENSHOT_FOLDER)
        folder.mkdir(exist_ok=True)
        evidence.save_screenshot(ctx, folder / f"{ctx.step}.png")


@contextmanager
def _walking(session: Session, command: str) -> Iterator[Walk]:
    builddir = session.builddir
    with builddir.lock(command):
        _link_last_dir(builddir)
        yield session.walk()


@contextmanager
def _named(walk: Walk, name: str | None = None) -> Iterator[None]:
    """Put the step's name in front of what went wrong in it."""
    try:
        yield
    except WinbuildError as exc:
        step = name or walk.next_name
        if not exc.message.startswith(step):
            exc.message = f"{step}: {exc.message}"
        raise


def _link_last_dir(builddir: BuildDir) -> None:
    """`lastdir` in a project folder points to the build directory used last. It is but a
    convenience: where it cannot be made, nothing is said."""
    link = Path("lastdir")
    # The build directory may have been named by this very link.
    target = os.path.relpath(os.path.realpath(builddir.path), os.path.realpath(""))
    with suppress(OSError):
        if not Path("builddirs").is_dir() or (link.exists() and not link.is_symlink()):
            return
        if link.is_symlink() and link.readlink() == Path(target):
            return
        temp = Path(f".lastdir.{os.getpid()}")
        temp.unlink(missing_ok=True)
        temp.symlink_to(target)
        temp.replace(link)
