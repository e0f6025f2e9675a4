"""Puts a command's pieces together: build directory, settings, plan, VM, console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from winbuild import evidence
from winbuild.builddir import BuildDir
from winbuild.host import Host
from winbuild.machine import Walk
from winbuild.plan import Plan, load_plan
from winbuild.settings import Loaded, load_settings
from winbuild.step import StepContext
from winbuild.ui import ConsoleUi, QuietUi, Ui

if TYPE_CHECKING:
    from winbuild.console import Console
    from winbuild.vm.vm import Vm


@dataclass(frozen=True)
class Options:
    """The options that every command with a build directory takes."""

    ini: Path | None = None
    overrides: Mapping[str, str] | None = None
    quiet: bool = False


class Session:
    """One command at work in one build directory."""

    def __init__(self, path: Path, options: Options, *, host: Host | None = None) -> None:
        self.path = path
        self.options = options
        self.host = host or Host()
        self.ui: Ui = QuietUi() if options.quiet else ConsoleUi()

    @cached_property
    def builddir(self) -> BuildDir:
        return BuildDir.open(self.path)

    @cached_property
    def loaded(self) -> Loaded:
        return load_settings(
            ini=self.options.ini,
            command_line=self.options.overrides,
            frozen=self.builddir.frozen_settings(),
            frozen_from=str(self.builddir.file(BuildDir.PARAMS)),
        )

    @cached_property
    def unfrozen(self) -> Loaded:
        """The settings as they would be without those fixed for this build."""
        return load_settings(ini=self.options.ini, command_line=self.options.overrides)

    @cached_property
    def plan(self) -> Plan:
        return load_plan(self.builddir.plan_name, self.unfrozen.settings.plans)

    @cached_property
    def vm(self) -> Vm:
        from winbuild.vm.vm import Vm

        return Vm(self.builddir.path, self.host)

    @cached_property
    def console(self) -> Console:
        from winbuild import boots
        from winbuild.console import open_console

        settings = self.loaded.settings
        return open_console(
            self.vm,
            self.ui,
            layout=boots.keyboard_layout(settings),
            key_gap_s=settings.key_gap_ms / 1000,
            language=settings.language,
        )

    def walk(self) -> Walk:
        return Walk(self.plan, self.builddir, self.context, on_failure=evidence.keep)

    def context(self, generation: int = 0, step: str = "") -> StepContext:
        # Only 1-setup-install reads settings that are not fixed yet; it may be run again to
        # fix others, so it must not see those that it fixed before.
        fixing = step.startswith(("0-", "1-"))
        return StepContext(
            builddir=self.builddir,
            loaded=self.unfrozen if fixing else self.loaded,
            host=self.host,
            ui=self.ui,
            generation=generation,
            step=step,
            open_vm=lambda: self.vm,
            open_console=lambda: self.console,
        )
