"""What the author of a step imports.

A step is a class with a name; its number, read from the name, gives the order. Steps hold no
state: everything they need comes in a frozen `StepContext`, and all that they leave is files
in the build directory (under their final names only when complete).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from winbuild.builddir import BuildDir
from winbuild.errors import CheckFailed, StepPluginError, WinbuildError
from winbuild.host import Host
from winbuild.settings import Loaded, Settings
from winbuild.ui import Ui

if TYPE_CHECKING:
    from winbuild.console import Console
    from winbuild.vm.vm import Vm
    from winbuild.windows.versions import WindowsVersion

NAME_PATTERN = re.compile(r"(?P<number>\d{1,4})(?P<letter>[a-z]?)-(?P<manual>M-)?[A-Za-z0-9-]+")


@dataclass(frozen=True)
class StepContext:
    """All that a step may use.

    `generation` counts the first-boot cycles of a looping walk, from 0. `console` is the
    guest's screen, keyboard and pointer; it is opened on first use. `interrupted_since` is
    when (seconds since the epoch) the first of the earlier tries of this step began that were
    killed.
    """

    builddir: BuildDir
    loaded: Loaded
    host: Host
    ui: Ui
    generation: int
    open_vm: Callable[[], Vm]
    open_console: Callable[[], Console]
    step: str = ""
    arguments: tuple[str, ...] = ()
    interrupted_since: float | None = None

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @cached_property
    def vm(self) -> Vm:
        return self.open_vm()

    @cached_property
    def console(self) -> Console:
        return self.open_console()

    @cached_property
    def version(self) -> WindowsVersion:
        from winbuild.windows.versions import version

        return version(self.builddir.label)

    @property
    def log(self) -> Path:
        """Where host programs that this step runs write what they said."""
        return self.builddir.log(self.step)

    def expand(self, text: str) -> str:
        """Put this walk's generation in place of genN (in names of steps and files)."""
        return expand_generation(text, self.generation)


def expand_generation(text: str, generation: int) -> str:
    return re.sub(r"\bgenN\b", f"gen{generation}", text)


class Step:
    """An automated step of a walk.

    Class attributes: `name` ("2-create-floppy-image-with-answer-file"; may hold `genN`, the
    number of the cycle), `produces` (files it leaves in the build directory),
    `next_instructions` (what a person does after it), `leads_to` (the next step, where that
    is not the next by number), `new_generation` (going on from here begins a new cycle),
    `milestone` (what is complete before this step: `-auto --MILESTONE` stops there).
    """

    name: ClassVar[str]
    produces: ClassVar[tuple[str, ...]] = ()
    next_instructions: ClassVar[str] = ""
    leads_to: ClassVar[str | None] = None
    new_generation: ClassVar[bool] = False
    milestone: ClassVar[str | None] = None
    manual: ClassVar[bool] = False

    def accept(self, arguments: tuple[str, ...]) -> None:
        """Raise UsageError if the words behind the step's name do not fit. Called on a plan's
        first step before the directory is made. As it stands: all words fit."""

    def run(self, ctx: StepContext) -> None:
        """Do it. Begins by removing what a killed earlier try left."""
        raise StepPluginError(f"{type(self).__name__} has no run()")

    def verify(self, ctx: StepContext) -> None:
        """Raise CheckFailed if what the step should have brought about is not so.

        As it stands: every file in `produces` exists and is not empty.
        """
        for name in self.produces:
            path = ctx.builddir.file(ctx.expand(name))
            if not path.exists():
                raise CheckFailed(f"{path.name} is not there, which the step should have made")
            if path.is_file() and path.stat().st_size == 0:
                raise CheckFailed(f"{path.name} is empty")

    def prepare(self, ctx: StepContext) -> None:
        """What a person was told to do before this step: -auto does it first.

        Must find out for itself how far that has come, since -auto may be taken up again
        here. As it stands: nothing.
        """

    @classmethod
    def summary(cls) -> str:
        """First line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else ""


class ManualStep(Step):
    """A step for a person, who confirms it with -done; `-auto` performs it by `automate`."""

    manual = True
    instructions: ClassVar[str] = ""

    def automate(self, ctx: StepContext) -> None:
        """Do what the instructions say. As it stands: nothing can, a person has to."""
        from winbuild.errors import OperatorActionNeeded

        raise OperatorActionNeeded(self.instructions)

    def is_done(self, ctx: StepContext) -> bool:
        """Asked by -auto before it tries again: an earlier try may have acted before it was cut
        off, and a key that is pressed twice goes to the next screen. As it stands: `verify`."""
        try:
            self.verify(ctx)
        except WinbuildError:
            return False
        return True

    def verify(self, ctx: StepContext) -> None:
        """Mandatory for manual steps: -done must not believe what is visibly not so."""
        raise StepPluginError(f"{type(self).__name__} has no verify()")
