"""Where a build stands: read from the directory's files, without waking anything up."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from winbuild.builddir import FINISHED, BuildDir, Event
from winbuild.errors import WinbuildError
from winbuild.machine import Walk
from winbuild.plan import Plan
from winbuild.step import Step, expand_generation
from winbuild.vm.status import VmStatus, vm_status


@dataclass(frozen=True)
class StepStatus:
    name: str
    kind: str
    state: str
    started: str | None = None
    seconds: float | None = None
    message: str = field(default="", repr=False)


@dataclass(frozen=True)
class BuildStatus:
    """All that `status --json` prints; see docs/cli.md for its form."""

    dir: str
    label: str
    plan: str
    nextstep: str
    kind: str
    instructions: str
    interrupted: str | None
    working: str | None
    failure: str | None
    vm: VmStatus
    steps: tuple[StepStatus, ...]
    artefacts: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        fields = asdict(self)
        fields["steps"] = [
            {key: value for key, value in step.items() if key != "message" or value}
            for step in fields["steps"]
        ]
        return fields


def build_status(builddir: BuildDir, plan: Plan, walk: Walk) -> BuildStatus:
    """Where the build in `builddir` stands. Raises StateFileError on garbage in its files."""
    history = builddir.history()
    holder = builddir.holder()
    next_step = walk.next_step
    last = _last_of(history, walk.next_name)
    return BuildStatus(
        dir=str(builddir.path),
        label=_label(builddir),
        plan=plan.name,
        nextstep=walk.next_name,
        kind=kind_of(next_step),
        instructions=what_now(builddir, next_step),
        interrupted=None if holder else builddir.interrupted(),
        working=holder,
        failure=last.message if last and last.what == "fail" else None,
        vm=vm_status(builddir.path),
        steps=tuple(_steps(plan, walk, history)),
        artefacts=tuple(str(path) for path in builddir.artefacts()),
    )


def _label(builddir: BuildDir) -> str:
    return builddir.label if builddir.file("LABEL").exists() else ""


def kind_of(step: Step | None) -> str:
    if step is None:
        return FINISHED
    return "manual" if step.manual else "automated"


def what_now(builddir: BuildDir, step: Step | None) -> str:
    """What a person types or does now."""
    if step is None:
        return "Nothing: this build is finished."
    command = builddir.command
    if step.manual:
        return f"{getattr(step, 'instructions', '')} Then: {command} -done"
    if step.name.startswith("0-"):
        return f"Begin again: {command} 0-init LABEL"
    return f"{step.summary()} Type: {command} -do-next"


def _last_of(history: list[Event], name: str) -> Event | None:
    return next((event for event in reversed(history) if event.step == name), None)


def _steps(plan: Plan, walk: Walk, history: list[Event]) -> list[StepStatus]:
    names = [step.name for step in plan.walked]
    position = names.index(walk.state) if walk.state in names else len(names)
    rows = []
    for index, step in enumerate(plan.walked):
        name = expand_generation(step.name, walk.generation)
        last = _last_of(history, name)
        state = "done" if index < position else "next" if index == position else "todo"
        # A step after the present one that has ended is of an earlier round: to do again.
        if state == "next" and last is not None and last.what == "fail":
            state = "failed"
        finished = last is not None and last.what in ("end", "confirm", "fail")
        shown = last if state in ("done", "failed", "next") else None
        rows.append(
            StepStatus(
                name=name,
                kind=kind_of(step),
                state=state,
                started=_begin_of(history, name) if shown else None,
                seconds=shown.seconds if shown and finished else None,
                message=shown.message if shown else "",
            )
        )
    return rows


def _begin_of(history: list[Event], name: str) -> str | None:
    event = next((e for e in reversed(history) if e.step == name and e.what == "begin"), None)
    return event.time if event else None


# -- all build directories ---------------------------------------------------------------


@dataclass(frozen=True)
class ListRow:
    """One line of `winbuild list`."""

    dir: str
    label: str
    plan: str
    nextstep: str
    kind: str
    vm: str
    interrupted: str | None
    working: bool
    age_s: float
    error: str | None = None


def list_builds(folder: Path) -> list[ListRow]:
    """Every build directory directly under `folder`, the one last touched first."""
    rows = [_list_row(path.parent) for path in folder.glob("*/nextstep")]
    return sorted(rows, key=lambda row: row.age_s)


def _list_row(path: Path) -> ListRow:
    builddir = BuildDir(path)
    error = None
    holder, interrupted = builddir.holder(), None
    try:
        name = builddir.next_step_text()
        interrupted = None if holder else builddir.interrupted()
    except WinbuildError as exc:
        name, error = "?", exc.message
    kind = FINISHED if name == FINISHED else "manual" if "-M-" in name else "automated"
    try:
        label, plan = _label(builddir), builddir.plan_name
    except WinbuildError as exc:
        label, plan, error = "?", "?", error or exc.message
    return ListRow(
        dir=str(path),
        label=label,
        plan=plan,
        nextstep=name,
        kind=kind if error is None else "?",
        vm=vm_status(builddir.path).state,
        interrupted=interrupted,
        working=holder is not None,
        age_s=max(0.0, time.time() - builddir.file("nextstep").stat().st_mtime),
        error=error,
    )
