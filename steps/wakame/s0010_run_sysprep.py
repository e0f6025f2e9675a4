"""Stage 10: start the script on the floppy that installs the agent and runs sysprep."""

from __future__ import annotations

from winbuild import boots
from winbuild.media.sysprep_script import RUN_SYSPREP
from winbuild.step import ManualStep, StepContext
from winbuild.windows import desktop


class OpenPowerShell(ManualStep):
    """Open a PowerShell window."""

    name = "10-M-open-powershell-window"
    instructions = (
        "Click the PowerShell icon in the taskbar and see that its window is in front. "
        "(Without an icon: Windows key + R, type powershell, return.)"
    )

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        desktop.open_powershell(ctx)

    def verify(self, ctx: StepContext) -> None:
        desktop.check_reached(ctx, desktop.POWERSHELL)


class RunSysprepScript(ManualStep):
    """Type the command that runs the script on the floppy."""

    name = "11-M-run-sysprep-script"
    instructions = f"Type {RUN_SYSPREP!r} in the PowerShell window and press return."

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        desktop.run_in_powershell(ctx, RUN_SYSPREP)

    def verify(self, ctx: StepContext) -> None:
        desktop.check_command_given(ctx, desktop.AGENT_PAGES[0])
