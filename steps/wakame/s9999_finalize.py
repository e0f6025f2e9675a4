"""The end: the build gives back its port digit."""

from __future__ import annotations

from winbuild import boots
from winbuild.errors import CheckFailed
from winbuild.step import Step, StepContext


class Finalize(Step):
    """Close the build: its VM must be off; its port digit becomes free for others."""

    name = "9999-finalize"
    next_instructions = "The build is closed; its artefacts stay where they are."

    def run(self, ctx: StepContext) -> None:
        boots.require_off(ctx)
        ctx.builddir.file("active").unlink(missing_ok=True)

    def verify(self, ctx: StepContext) -> None:
        if ctx.builddir.file("active").exists():
            raise CheckFailed("the file active is still there")
