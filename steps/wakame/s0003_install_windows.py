"""Stage 3: Windows Setup runs by itself, to the screen that asks for Ctrl+Alt+Delete."""

from __future__ import annotations

from winbuild import boots, guest_logs
from winbuild.disk import image
from winbuild.errors import CheckFailed
from winbuild.step import ManualStep, Step, StepContext
from winbuild.windows import desktop


class BootInstallIso(Step):
    """Make a blank disk and start the VM from the Windows ISO, with the floppy in drive A:."""

    name = "3-boot-with-install-iso-and-floppy"
    next_instructions = "Windows Setup now runs by itself."

    def run(self, ctx: StepContext) -> None:
        if boots.started_by_killed_try(ctx):
            return
        boots.stop_leftover(ctx)
        image.create_blank_image(ctx.builddir.image, ctx.settings.image_size_bytes)
        boots.boot_install(ctx)

    def verify(self, ctx: StepContext) -> None:
        if ctx.vm.status().state not in ("running", "paused"):
            raise CheckFailed(f"the VM does not run: {ctx.vm.status().cause}")


class WaitForCtrlAltDelete(ManualStep):
    """Wait until Windows is installed and asks for Ctrl+Alt+Delete."""

    name = "4-M-wait-for-ctrl-alt-delete-screen"
    instructions = (
        "Wait for the screen that says 'Press Ctrl+Alt+Delete' (5 to 10 minutes with KVM). "
        "Do not log in yet."
    )

    def automate(self, ctx: StepContext) -> None:
        desktop.wait_for_lock_screen(ctx)

    def verify(self, ctx: StepContext) -> None:
        desktop.check_reached(ctx, desktop.LOCK_SCREEN)


class RecordLogsAtLockScreen(Step):
    """Copy the logs of Windows Setup out of the disk."""

    name = "5-record-logs-at-ctrl-alt-delete-screen"
    next_instructions = "Now log in, to run sysprep inside Windows."

    def run(self, ctx: StepContext) -> None:
        dest = ctx.builddir.next_numbered_logs("at-ctrl-alt-delete-screen")
        guest_logs.record(ctx, dest)
