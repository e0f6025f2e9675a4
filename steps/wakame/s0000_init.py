"""Stage 0: a new build directory."""

from __future__ import annotations

import datetime as dt

from winbuild.errors import UsageError
from winbuild.step import Step, StepContext
from winbuild.vm import ports
from winbuild.windows.versions import version

README = """\
This is a build directory of winbuild: a Windows image in the making.

  {command}             where the build stands and what to do now
  {command} -do-next    do the next automated step
  {command} -done       confirm that the manual step is done
  {command} -auto       go on hands-free

nextstep holds the name of the next step, history.jsonl what has happened so far,
failures/ the evidence of steps that failed.
"""


class Init(Step):
    """Make the build directory: label, image name, time stamp, and the digit for ports."""

    name = "0-init"
    produces = ("LABEL", "WINIMG", "active", "timestamp", "README")
    next_instructions = (
        "Set the ISO and the product key for this label (windows-image-build.ini or environment "
        "variables), then check and fix the settings."
    )

    def accept(self, arguments: tuple[str, ...]) -> None:
        if len(arguments) != 1:
            raise UsageError("0-init needs a label", hint="for example: winbuild DIR 0-init 2012")
        version(arguments[0])

    def run(self, ctx: StepContext) -> None:
        windows = version(ctx.arguments[0])
        builddir = ctx.builddir
        builddir.write_fact("LABEL", windows.label)
        builddir.write_fact("WINIMG", f"win-{windows.label}.raw")
        builddir.write_fact("timestamp", dt.datetime.now().strftime("%y%m%d-%H%M%S"))
        siblings = [path for path in builddir.path.parent.glob("*/active")]
        builddir.write_fact("active", str(ports.suggest_digit(windows.port_digit, siblings)))
        builddir.write_fact("README", README.format(command=builddir.command).rstrip())
