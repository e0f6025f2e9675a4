"""The grammar of the command line: `winbuild COMMAND …` or `winbuild DIR WORD …`.

The build directory comes first, as in the original tool, and a leading dash is optional on
every word after it (`winbuild DIR -do-next` = `winbuild DIR do-next`). Typer knows neither, so
these two groups teach it: `RootGroup` takes a first word that is no command for a directory,
`DirGroup` takes off the dash and knows the names of steps and the words' other names.
"""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperGroup

DIR_GROUP = "DIR"
STEP_COMMAND = "STEP-NAME"

# Other names of words, as the original had them.
ALIASES = {
    "next": "do-next",
    "screendump": "screenshot",
    "sd": "screenshot",
    "ss": "screenshot",
    "finalize": "9999-finalize",
}

_STEP = re.compile(r"\d{1,4}[a-z]?-[A-Za-z0-9-]+")


class RootGroup(TyperGroup):
    """The commands that need no build directory, and DIR for everything else."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = None if cmd_name == DIR_GROUP else self.commands.get(cmd_name)
        if own is None and cmd_name != DIR_GROUP and cmd_name.startswith("-"):
            return None
        return own or self.commands[DIR_GROUP]

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from typer._click.shell_completion import CompletionItem

        directories = [
            CompletionItem(path)
            for path in _build_directories(incomplete)
            if path.startswith(incomplete) and path != incomplete
        ]
        words = [
            item for item in super().shell_complete(ctx, incomplete) if item.value != DIR_GROUP
        ]
        return [*directories, *words]


class DirGroup(TyperGroup):
    """The words that follow a build directory."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        position = next((i for i, arg in enumerate(args) if not arg.startswith("--")), None)
        if position is not None:
            word = args[position].lstrip("-")
            if word in self.commands or word in ALIASES or _STEP.fullmatch(word):
                args = [*args[:position], word, *args[position + 1 :]]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = ALIASES.get(cmd_name, cmd_name)
        found = self.commands.get(name)
        if found is None and _STEP.fullmatch(cmd_name):
            return self.commands[STEP_COMMAND]
        return None if name == STEP_COMMAND and cmd_name == STEP_COMMAND else found

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from typer._click.shell_completion import CompletionItem

        dash = "-" if incomplete.startswith("-") and not incomplete.startswith("--") else ""
        words = [name for name in self.commands if name != STEP_COMMAND]
        words += [name for name in ALIASES if name not in words]
        words += _step_names(ctx.info_name)
        items = [CompletionItem(dash + w) for w in words if (dash + w).startswith(incomplete)]
        if incomplete.startswith("--"):
            items += super().shell_complete(ctx, incomplete)
        return items


def _build_directories(incomplete: str) -> list[str]:
    """Build directories below builddirs/, and below the folder that is being typed."""
    from pathlib import Path

    folder = Path(incomplete).parent if "/" in incomplete else Path()
    candidates = [*Path("builddirs").glob("*/nextstep"), *folder.glob("*/nextstep")]
    names = {f"{path.parent}/" for path in candidates}
    names |= {f"{path}/" for path in folder.glob("*/") if path.name == "builddirs"}
    return sorted(names)


def _step_names(directory: str | None) -> list[str]:
    from pathlib import Path

    from winbuild.builddir import BuildDir
    from winbuild.errors import WinbuildError
    from winbuild.plan import load_plan

    try:
        plan = BuildDir.open(Path(directory or ".")).plan_name
    except WinbuildError:
        plan = "wakame"
    try:
        return [step.name for step in load_plan(plan).steps]
    except WinbuildError:
        return []
