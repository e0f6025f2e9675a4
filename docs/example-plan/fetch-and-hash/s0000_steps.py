"""All steps of the example plan; a plan of your own may use as many s*.py files as it likes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.errors import CheckFailed, UsageError
from winbuild.step import ManualStep, Step, StepContext


class Init(Step):
    """Remember the label: here it is the path of the file that the walk is about."""

    name = "0-init"
    produces = ("LABEL",)
    next_instructions = "Next the file is hashed."

    def accept(self, arguments: tuple[str, ...]) -> None:
        if not Path(arguments[0]).is_file():
            raise UsageError(f"there is no file {arguments[0]}")

    def run(self, ctx: StepContext) -> None:
        ctx.builddir.write_fact("LABEL", str(Path(ctx.arguments[0]).absolute()))


class Hash(Step):
    """Write the file's SHA-256 into the build directory."""

    name = "1-hash-the-file"
    produces = ("sha256",)
    next_instructions = "Now a person has to look at it."

    def run(self, ctx: StepContext) -> None:
        content = Path(ctx.builddir.label).read_bytes()
        write_atomic(ctx.builddir.file("sha256"), hashlib.sha256(content).hexdigest() + "\n")


class Approve(ManualStep):
    """A person reads the file and approves of it."""

    name = "2-M-approve-the-file"
    instructions = "Read the file. If you like it, put your name into a file 'approved-by' here."

    def automate(self, ctx: StepContext) -> None:
        write_atomic(ctx.builddir.file("approved-by"), "nobody; winbuild -auto did it\n")

    def verify(self, ctx: StepContext) -> None:
        approved = ctx.builddir.file("approved-by")
        if not approved.exists() or not approved.read_text().strip():
            raise CheckFailed("there is no name in the file approved-by")


class Report(Step):
    """Write a report of one line."""

    name = "3-write-report"
    produces = ("report.txt",)

    def run(self, ctx: StepContext) -> None:
        builddir = ctx.builddir
        line = f"{builddir.label} {builddir.fact('sha256')} {builddir.fact('approved-by')}\n"
        write_atomic(builddir.file("report.txt"), line)
