"""How results look in a terminal or a pipe. Pure printing: nothing here decides anything."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winbuild.builddir import BuildDir, Event
from winbuild.machine import Walk
from winbuild.plan import Plan
from winbuild.step import Step
from winbuild.ui import Ui, duration_text

if TYPE_CHECKING:
    from winbuild.disk.logs import LogReport
    from winbuild.doctor import Finding
    from winbuild.rehearsal.build import RehearsalMedia
    from winbuild.status import BuildStatus, ListRow

_COLOURS = {
    "done": "32",
    "next": "33;1",
    "failed": "31;1",
    "bad": "31;1",
    "good": "32",
    "note": "33",
}
_MARKS = {"done": "x", "next": ">", "failed": "!", "todo": " "}


def _paint(text: str, colour: str) -> str:
    code = _COLOURS.get(colour)
    return f"\x1b[{code}m{text}\x1b[0m" if code and sys.stdout.isatty() else text


def _table(rows: Iterable[Sequence[str]], *, gap: str = "  ") -> None:
    """Columns as wide as their longest cell; the last one is left as it is."""
    rows = [list(row) for row in rows]
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print(gap.join([*cells, row[-1]]).rstrip())


# -- the walk ------------------------------------------------------------------------------


def print_start(builddir: BuildDir, name: str, step: Step) -> None:
    print(f"{name}: in {builddir.path}")
    print(f"  {step.summary()}")


def print_end(builddir: BuildDir, walk: Walk, step: Step | None) -> None:
    from winbuild.status import what_now

    print(f"nextstep: {walk.next_name}")
    if step is not None and step.next_instructions:
        print(f"  {walk.context(step).expand(step.next_instructions)}")
    print(f"  {what_now(builddir, walk.next_step)}")


def say_step_begins(ui: Ui, plan: Plan, name: str, step: Step) -> None:
    number = [s.name for s in plan.walked].index(step.name) + 1
    kind = "manual, done for you" if step.manual else "automated"
    ui.say(f"[{number}/{len(plan.walked)}] {name} ({kind})")


def say_step_ended(ui: Ui, name: str, seconds: float) -> None:
    ui.say(f"    done in {seconds:.1f} s")


# -- status and list -----------------------------------------------------------------------


def print_status(found: BuildStatus) -> None:
    print(f"{found.dir}  (label {found.label or 'not set'}, plan {found.plan})")
    shown = [row for row in found.steps if row.state != "todo"]
    rest = len(found.steps) - len(shown)
    for row in shown:
        seconds = duration_text(row.seconds) if row.seconds is not None else ""
        line = f"  {_MARKS[row.state]} {row.name:<50} {seconds:>8}"
        print(_paint(line.rstrip(), row.state))
    if rest:
        print(f"    … and {rest} more")
    print(f"\nnextstep: {found.nextstep} ({found.kind})")
    if found.working:
        print(f"  a winbuild is at work here: {found.working}")
    elif found.interrupted:
        print(f"  {found.interrupted} was interrupted; the same command does it again")
    if found.failure:
        print(_paint(f"  the last try failed: {found.failure}", "failed"))
    print(f"  {found.instructions}")
    _print_vm(found)
    if found.artefacts:
        print("\nartefacts:")
        for path in found.artefacts:
            print(f"  {path}")


def _print_vm(found: BuildStatus) -> None:
    from winbuild.boots import how_to_look

    vm = found.vm
    cause = f" ({vm.cause})" if vm.cause else ""
    line = f"\nVM: {vm.state}{cause}"
    if vm.pid is not None:
        line += f", process {vm.pid}"
    if vm.since is not None and vm.pid is not None:
        line += f", for {duration_text(time.time() - vm.since)}"
    print(line)
    if vm.pid is not None and vm.vnc is not None:
        print(f"  {how_to_look(vm.vnc)}, or: {BuildDir(Path(found.dir)).command} -screenshot")


def print_builds(rows: Sequence[ListRow], folder: Path) -> None:
    if not rows:
        print(f"there is no build directory in {folder}/")
        print(f"to begin a build: winbuild {folder}/NAME 0-init LABEL")
        return
    header = ("DIRECTORY", "LABEL", "PLAN", "NEXT STEP", "KIND", "VM", "AGE", "")
    table = [header]
    for row in rows:
        remark = row.error or ("at work" if row.working else "")
        if row.interrupted:
            remark = f"interrupted in {row.interrupted}"
        age = duration_text(row.age_s)
        table.append((row.dir, row.label, row.plan, row.nextstep, row.kind, row.vm, age, remark))
    _table(table)


def print_history(builddir: BuildDir, *, follow: bool) -> None:
    shown = 0
    while True:
        events = builddir.history()
        for event in events[shown:]:
            print(_event_line(event), flush=True)
        shown = len(events)
        if not follow:
            return
        time.sleep(0.5)


def _event_line(event: Event) -> str:
    seconds = f" {duration_text(event.seconds)}" if event.seconds is not None else ""
    made = f": {', '.join(event.produced)}" if event.produced else ""
    message = f": {event.message}" if event.message else ""
    return f"{event.time}  {event.what:<7} {event.step}{seconds}{made}{message}"


# -- plans and settings --------------------------------------------------------------------


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": step.name,
            "kind": "manual" if step.manual else "automated",
            "summary": step.summary(),
            "produces": list(step.produces),
            "instructions": getattr(step, "instructions", ""),
        }
        for step in plan.steps
    ]


def print_plan(plan: Plan) -> None:
    print(f"{plan.name}: {plan.description.splitlines()[0] if plan.description else ''}\n")
    _table((row["name"], row["kind"], row["summary"]) for row in plan_rows(plan))


def setting_rows(loaded: Any) -> list[dict[str, str]]:
    from winbuild.settings import schema

    return [
        {
            "key": key,
            "value": "(set)"
            if row.secret and loaded.texts[key] not in ("", "none")
            else loaded.texts[key],
            "from": loaded.origins[key],
            "form": row.kind.form,
            "meaning": " ".join(row.doc.split()),
        }
        for key, row in schema().items()
    ]


def print_settings(rows: Sequence[Mapping[str, str]]) -> None:
    for row in rows:
        print(f"{row['key']} = {row['value']}")
        print(f"    {row['meaning']}")
        print(f"    form: {row['form']}; from: {row['from']}")


# -- the rest ------------------------------------------------------------------------------


def print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        print(_paint(f"{finding.verdict:>4}", finding.verdict), f" {finding.what}: {finding.fact}")
        if finding.remedy:
            print(f"        -> {finding.remedy}")


def print_folder(entries: Sequence[Mapping[str, Any]]) -> None:
    _table(
        ("d" if row["folder"] else "-", str(row["size"]), row["modified"], row["name"])
        for row in entries
    )


def print_log_report(report: LogReport, file: Path) -> None:
    print(f"{file}: {len(report.collected)} files")
    for name in report.missing:
        print(f"  not there (this is normal): {name}")


def print_ports(forwards: Mapping[str, str]) -> None:
    for what, where in forwards.items():
        print(f"{what}: {where}")


def print_media(media: RehearsalMedia, label: str) -> None:
    print("The rehearsal media are ready. To build with them:\n")
    for key, path in (
        (f"ISO{label}", media.windows_iso),
        ("VIRTIOISO", media.virtio_iso),
        ("ZABBIXINSTALLER", media.agent_installer),
    ):
        print(f"  export {key}='{path.absolute()}'")
    print(f"  export KEY{label}=none IMAGESIZE=4G")
    print(f"\n  winbuild builddirs/rehearsal 0-init {label}")
    print("  winbuild builddirs/rehearsal -auto --package")
