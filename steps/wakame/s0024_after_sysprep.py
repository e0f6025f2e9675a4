"""Stage 24: sysprep generalizes Windows and shuts it down."""

from __future__ import annotations

from winbuild import boots, guest_logs
from winbuild.errors import CheckFailed
from winbuild.step import Step, StepContext
from winbuild.windows import desktop


class WaitForShutdown(Step):
    """Wait until sysprep has shut Windows down; only a power-off by the guest counts."""

    name = "24-wait-for-shutdown"
    next_instructions = "Windows is generalized and off. Next, sysprep's logs are kept."

    def run(self, ctx: StepContext) -> None:
        boots.wait_for_poweroff(ctx, fail=desktop.SYSPREP_FAILURES)

    def verify(self, ctx: StepContext) -> None:
        boots.check_shut_down_by_guest(ctx)
        if not boots.is_generalized(ctx):
            raise CheckFailed(
                f"Windows has shut down, but not generalized: there is no {boots.SYSPREP_MARK}",
                hint=f"{boots.go_back_hint(ctx)}; to go on all the same: "
                f"{ctx.builddir.command} {RecordLogsAfterSysprep.name} --force",
            )


class RecordLogsAfterSysprep(Step):
    """Copy the logs of sysprep out of the disk."""

    name = "25-record-logs-after-sysprep"
    next_instructions = "Next the image is packaged."

    def run(self, ctx: StepContext) -> None:
        dest = ctx.builddir.next_numbered_logs("after-sysprep")
        guest_logs.record(ctx, dest)
