"""Stage 6: log in as Administrator, with the password that the answer file set."""

from __future__ import annotations

from winbuild import boots
from winbuild.deadline import Deadline
from winbuild.media.sysprep_script import RUN_SYSPREP
from winbuild.step import ManualStep, StepContext
from winbuild.windows import desktop


class PressCtrlAltDelete(ManualStep):
    """Press Ctrl+Alt+Delete at the lock screen."""

    name = "6-M-press-ctrl-alt-delete-screen"
    instructions = "Press Ctrl+Alt+Delete in the VM's screen (your viewer has a menu for it)."

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        desktop.leave_lock_screen(ctx)

    def verify(self, ctx: StepContext) -> None:
        desktop.check_reached(ctx, desktop.PASSWORD_SCREEN)


class WaitForPasswordScreen(ManualStep):
    """Wait for the field that asks for the password."""

    name = "7-M-wait-for-password-screen"
    instructions = "Wait for the screen with Administrator's password field."

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        desktop.wait_for(ctx, desktop.PASSWORD_SCREEN)

    def verify(self, ctx: StepContext) -> None:
        desktop.check_reached(ctx, desktop.PASSWORD_SCREEN)


class EnterPassword(ManualStep):
    """Type the password of the installation."""

    name = "8-M-enter-password"
    instructions = f"Type the password {RUN_SYSPREP!r} and press return."

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        desktop.enter_password(ctx, RUN_SYSPREP)

    def verify(self, ctx: StepContext) -> None:
        desktop.check_password_taken(ctx)


class WaitForLogin(ManualStep):
    """Wait until the desktop is there."""

    name = "9-M-wait-for-login-completion"
    instructions = "Wait until the desktop has come up."

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        ctx.console.screen.wait_for(
            desktop.DESKTOP,
            deadline=Deadline(ctx.settings.login_timeout_s),
            fail=desktop.LOGIN_FAILURES,
        )

    def verify(self, ctx: StepContext) -> None:
        desktop.check_reached(ctx, desktop.DESKTOP)
