"""Stages 1001 to 1005: the image is started as the cloud would, again and again.

Each cycle (generation) boots the image with a metadata disk, fetches the password that the
guest set, boots it twice more, and generalizes it again for the next cycle.
"""

from __future__ import annotations

from winbuild import boots, first_boot, guest_logs
from winbuild.errors import CheckFailed
from winbuild.guest.scripts import BACKUP_COMMAND
from winbuild.step import Step, StepContext
from winbuild.windows import desktop

_LOGS_OF_SECOND_BOOT = "after-1003-genN-second-boot.tar.gz"


def _record(ctx: StepContext, name: str) -> None:
    guest_logs.record(ctx, ctx.builddir.file(ctx.expand(name)))


class FirstBoot(Step):
    """Boot the generalized image with a fresh metadata disk."""

    name = "1001-genN-first-boot"
    milestone = "package"
    produces = ("before-1001-genN-first-boot.tar.gz", "metadata.img", "testsshkey.pub")
    next_instructions = "Wait until Windows has initialised itself and shut down."

    def run(self, ctx: StepContext) -> None:
        if boots.started_by_killed_try(ctx):
            return
        boots.release_disk(ctx)
        _record(ctx, "before-1001-genN-first-boot.tar.gz")
        first_boot.make_metadata(ctx)
        boots.boot_test(ctx)


class ConfirmFirstBoot(Step):
    """See that the first boot has shut down, and fetch the password that it set."""

    name = "1002-confirm-genN-shutdown-get-pw"
    produces = ("after-1001-genN-first-boot.tar.gz", "pw")
    next_instructions = "Next the image is booted for the second time."

    def prepare(self, ctx: StepContext) -> None:
        boots.wait_for_poweroff(ctx, fail=desktop.SETUP_FAILURES)

    def run(self, ctx: StepContext) -> None:
        boots.check_shut_down_by_guest(ctx)
        _record(ctx, "after-1001-genN-first-boot.tar.gz")
        first_boot.fetch_password(ctx)


class SecondBoot(Step):
    """Boot the image for the second time."""

    name = "1003-genN-second-boot"
    next_instructions = "Wait for the screen that says 'Press Ctrl+Alt+Delete'."

    def run(self, ctx: StepContext) -> None:
        if boots.started_by_killed_try(ctx):
            return
        # Step 1002 has seen the power-off.
        boots.release_disk(ctx)
        ctx.builddir.file(ctx.expand(_LOGS_OF_SECOND_BOOT)).unlink(missing_ok=True)
        boots.boot_test(ctx)

    def verify(self, ctx: StepContext) -> None:
        if ctx.vm.status().state not in ("running", "paused"):
            raise CheckFailed(f"the VM does not run: {ctx.vm.status().cause}")


class RecordLogsAtFirstPrompt(Step):
    """Copy the logs out of the disk while Windows waits for a log-in."""

    name = "1003b-record-logs-at-ctr-alt-delete-prompt1-genN"
    produces = ("at-ctr-alt-delete-prompt1-genN.tar.gz",)
    next_instructions = "Log in as Administrator with the password in the file pw; shut down."

    def prepare(self, ctx: StepContext) -> None:
        desktop.wait_for_lock_screen(ctx)

    def run(self, ctx: StepContext) -> None:
        _record(ctx, "at-ctr-alt-delete-prompt1-genN.tar.gz")


class ThirdBoot(Step):
    """See that Windows was shut down, and boot it for the third time."""

    name = "1004-confirm-genN-shutdown"
    produces = (_LOGS_OF_SECOND_BOOT,)
    next_instructions = "Wait for the screen that says 'Press Ctrl+Alt+Delete'."

    def prepare(self, ctx: StepContext) -> None:
        if not (boots.started_by_killed_try(ctx) or self._power_off_seen(ctx)):
            desktop.log_in_and_switch_off(
                ctx, first_boot.password(ctx.builddir), "shutdown /s /t 0"
            )
            boots.wait_for_poweroff(ctx)

    def run(self, ctx: StepContext) -> None:
        if boots.started_by_killed_try(ctx):
            return
        if not self._power_off_seen(ctx):
            boots.check_shut_down_by_guest(ctx)
            _record(ctx, _LOGS_OF_SECOND_BOOT)
        boots.release_disk(ctx)
        boots.boot_test(ctx)

    @staticmethod
    def _power_off_seen(ctx: StepContext) -> bool:
        """An earlier try has seen it, and its VM then could not be started."""
        return ctx.builddir.file(ctx.expand(_LOGS_OF_SECOND_BOOT)).exists()


class RecordLogsAtSecondPrompt(Step):
    """Copy the logs out of the disk while Windows waits for a log-in again."""

    name = "1004b-record-logs-at-ctr-alt-delete-prompt2-genN"
    produces = ("at-ctr-alt-delete-prompt2-genN.tar.gz",)
    next_instructions = (
        "Log in with the password in the file pw, run "
        rf"{BACKUP_COMMAND} and wait for the shutdown."
    )

    def prepare(self, ctx: StepContext) -> None:
        desktop.wait_for_lock_screen(ctx)

    def run(self, ctx: StepContext) -> None:
        _record(ctx, "at-ctr-alt-delete-prompt2-genN.tar.gz")


class ConfirmBackupSysprep(Step):
    """See that sysprep-for-backup has shut Windows down; the next generation may begin."""

    name = "1005-confirm-genN-sysprep-shutdown"
    produces = ("after-1005-genN-sysprep.tar.gz",)
    leads_to = "1001-genN-first-boot"
    new_generation = True
    next_instructions = "The cycle is complete; it may be walked again with the same image."

    def prepare(self, ctx: StepContext) -> None:
        desktop.log_in_and_switch_off(ctx, first_boot.password(ctx.builddir), BACKUP_COMMAND)
        boots.wait_for_poweroff(ctx, fail=desktop.SYSPREP_FAILURES)

    def run(self, ctx: StepContext) -> None:
        boots.check_shut_down_by_guest(ctx)
        _record(ctx, "after-1005-genN-sysprep.tar.gz")
