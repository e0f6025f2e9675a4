"""What a person does at a Windows console: log in, open PowerShell, type a command.

Everything goes by what the screen shows. The names are ids of the screen catalogue
(winbuild/screen/catalogue).
"""

from __future__ import annotations

import time

from winbuild import boots
from winbuild.deadline import Deadline
from winbuild.errors import CheckFailed, GuestTimeout, VmError
from winbuild.step import StepContext

LOCK_SCREEN = "logon.ctrl-alt-delete"
PASSWORD_SCREEN = "logon.password"
WRONG_PASSWORD = "logon.wrong-password"
WELCOME = "logon.welcome"
DESKTOP = "desktop.ready"
POWERSHELL = "desktop.powershell"
AGENT_PAGES = (
    "zabbix.welcome",
    "zabbix.license",
    "zabbix.components",
    "zabbix.configuration",
    "zabbix.folder",
    "zabbix.finished",
)
AGENT_AT_WORK = "zabbix.installing"
SYSPREP = "sysprep.working"
SHUTTING_DOWN = "shutdown.in-progress"

OBEYING = (SYSPREP, SHUTTING_DOWN)

CRASHES = ("crash.blue-screen",)
SETUP_FAILURES = (
    "setup.error",
    "setup.language",
    "setup.question",
    "boot.failed",
    "firmware.no-boot",
    *CRASHES,
)
LOGIN_FAILURES = (WRONG_PASSWORD, *CRASHES)
SYSPREP_FAILURES = ("sysprep.error", *CRASHES)

# The order in which the walk meets its screens: a person who is ahead of the confirmations
# has done the earlier steps too.
WALK = (
    LOCK_SCREEN,
    PASSWORD_SCREEN,
    WELCOME,
    DESKTOP,
    POWERSHELL,
    *AGENT_PAGES[:-1],
    AGENT_AT_WORK,
    AGENT_PAGES[-1],
    SYSPREP,
    SHUTTING_DOWN,
)

# How much of a typed command must be recognised: console type is small, and what is at stake is
# whether anything stands there at all.
TYPED_MIN = 0.75
TYPING_TRIES = 3
ECHO_WAIT_S = 10.0
WINDOW_WAIT_S = 6.0

# A person confirms the moment they have acted, and Windows takes a little to show it.
CONFIRM_WAIT_S = 10.0
# A script on a floppy takes longer to show something.
COMMAND_WAIT_S = 30.0


# -- checks, for -done and -auto alike -------------------------------------------------------


def check_reached(ctx: StepContext, name: str) -> None:
    """Raise CheckFailed, saying what is seen, unless the screen `name` or a later one shows."""
    _check_shows(ctx, WALK[WALK.index(name) :])


def check_left(ctx: StepContext, name: str) -> None:
    """Raise CheckFailed unless a screen of the walk later than `name` shows."""
    _check_shows(ctx, WALK[WALK.index(name) + 1 :])


def check_password_taken(ctx: StepContext) -> None:
    """Raise CheckFailed if the password was refused or not entered."""
    _check_shows(ctx, WALK[WALK.index(PASSWORD_SCREEN) + 1 :], refused=(WRONG_PASSWORD,))


def check_command_given(ctx: StepContext, effect: str) -> None:
    """Raise CheckFailed unless what the command brings about (or something later) shows: a
    command that only stands typed was not given."""
    _check_shows(ctx, WALK[WALK.index(effect) :], wait_s=COMMAND_WAIT_S)


def _check_shows(
    ctx: StepContext,
    names: tuple[str, ...],
    *,
    refused: tuple[str, ...] = (),
    wait_s: float = CONFIRM_WAIT_S,
) -> None:
    # A Windows that sysprep has switched off has come to the end of the walk.
    if ctx.vm.status().state == "shutdown" and boots.is_generalized(ctx):
        return
    boots.require_vm(ctx)
    try:
        ctx.console.screen.wait_for(
            *names,
            deadline=Deadline(wait_s),
            fail=refused,
            label="the screen to show that it is done",
        )
    except VmError as exc:
        if ctx.vm.status().state == "shutdown" and boots.is_generalized(ctx):
            return
        raise CheckFailed(
            f"this is visibly not done: the screen shows {ctx.console.screen.describe()}",
            hint=f"do it and confirm again; to overrule: {ctx.builddir.command} -done --force",
        ) from exc


# -- acts ------------------------------------------------------------------------------------


def wait_for(ctx: StepContext, *names: str, fail: tuple[str, ...] = CRASHES) -> None:
    """Wait SCREENTIMEOUT for one of the screens."""
    ctx.console.screen.wait_for(*names, deadline=Deadline(ctx.settings.screen_timeout_s), fail=fail)


def wait_for_lock_screen(ctx: StepContext) -> None:
    """Wait INSTALLTIMEOUT for the lock screen of a booting Windows."""
    boots.require_vm(ctx)
    ctx.console.screen.wait_for(
        LOCK_SCREEN,
        deadline=Deadline(ctx.settings.install_timeout_s),
        fail=SETUP_FAILURES,
    )


def leave_lock_screen(ctx: StepContext) -> None:
    """Press Ctrl+Alt+Delete until the password screen comes (twice at most: Windows now and
    then takes the first one only to wake the screen)."""
    for _ in range(2):
        ctx.console.keyboard.press("ctrl-alt-delete")
        try:
            ctx.console.screen.wait_for(PASSWORD_SCREEN, deadline=Deadline(30), fail=CRASHES)
            return
        except GuestTimeout:
            if not ctx.console.screen.shows(LOCK_SCREEN):
                break
    wait_for(ctx, PASSWORD_SCREEN)


def enter_password(ctx: StepContext, password: str) -> None:
    """Type the password and wait until Windows has taken it. VmError if it was refused."""
    ctx.console.keyboard.type_line(password)
    wait_for(ctx, WELCOME, DESKTOP, POWERSHELL, fail=LOGIN_FAILURES)


def open_powershell(ctx: StepContext) -> None:
    """Click the taskbar's PowerShell icon until its window is in front."""
    screen = ctx.console.screen
    deadline = Deadline(ctx.settings.screen_timeout_s)
    # An arrow over the icon would hide it.
    ctx.console.pointer.park()
    while not deadline.passed:
        spot = screen.point(DESKTOP, "powershell")
        if spot is None:
            # No icon (another version's taskbar): the Run dialog opens it as well.
            ctx.console.keyboard.press("meta_l-r")
            ctx.console.keyboard.type_line("powershell")
        else:
            frame = screen.frame()
            x, y = (spot.left + spot.right) // 2, (spot.top + spot.bottom) // 2
            ctx.console.pointer.click(x, y, (frame.width, frame.height))
        if _has_fresh_prompt(ctx, deadline):
            return
        # It may be in front with something typed at its prompt, by a person or a try that was
        # cut off. Escape empties the line, and harms no window that Windows shows by itself.
        ctx.console.keyboard.press("esc")
        if _has_fresh_prompt(ctx, deadline):
            return
    deadline.check("a PowerShell window in front")


def _has_fresh_prompt(ctx: StepContext, limit: Deadline) -> bool:
    """Whether PowerShell's window comes to the front, waiting for a command, in a few seconds."""
    try:
        ctx.console.screen.wait_for(
            POWERSHELL,
            deadline=Deadline(min(WINDOW_WAIT_S, limit.remaining)),
            fail=CRASHES,
            stable=2,
        )
    except GuestTimeout:
        return False
    return True


def run_in_powershell(ctx: StepContext, command: str) -> None:
    """Type a command into the PowerShell window, see that it stands there, and press return.

    Another window may come to the front at any moment (Server Manager takes its time): then
    what was typed went there, and PowerShell's window is brought back and typed into anew.
    """
    console = ctx.console
    for _ in range(TYPING_TRIES):
        if not console.screen.shows(POWERSHELL):
            open_powershell(ctx)
        # Something may stand at the prompt already, typed by a person or a try that was cut off.
        # Escape empties PowerShell's line, and harms no window that Windows shows by itself.
        console.keyboard.press("esc")
        console.keyboard.type_text(command)
        if _stands_typed(ctx, command):
            console.keyboard.press("ret")
            return
        console.keyboard.press("esc")
    raise VmError(
        f"{command!r} was typed {TYPING_TRIES} times and does not stand in the PowerShell window; "
        f"the screen shows {console.screen.describe()}"
    )


def _stands_typed(ctx: StepContext, command: str) -> bool:
    deadline = Deadline(ECHO_WAIT_S)
    while not deadline.passed:
        if ctx.console.screen.find_text(command, minimum=TYPED_MIN):
            return True
        time.sleep(0.2)
    return False


def leave_page(ctx: StepContext, page: str) -> None:
    """Press return on a page of the installer; once more if the key was lost."""
    later = WALK[WALK.index(page) + 1 :]
    for _ in range(2):
        ctx.console.keyboard.press("ret")
        try:
            ctx.console.screen.wait_for(
                *later,
                deadline=Deadline(30),
                fail=SYSPREP_FAILURES,
                label="what follows this page",
            )
            return
        except GuestTimeout:
            if not ctx.console.screen.shows(page):
                return
        except VmError:
            if ctx.vm.status().state == "shutdown":
                return
            raise


def log_in_and_switch_off(ctx: StepContext, password: str, command: str) -> None:
    """From wherever the console stands: log in, and run a command that ends in a power-off.

    Returns when Windows is seen to obey (it shows sysprep at work, or shuts down), or at once
    if it has shut itself down already.
    """
    if ctx.vm.status().state == "shutdown":
        return
    boots.require_vm(ctx)
    seen = ctx.console.screen.wait_for(
        *WALK[: WALK.index(POWERSHELL) + 1],
        *OBEYING,
        deadline=Deadline(ctx.settings.install_timeout_s),
        fail=SETUP_FAILURES,
        label="a screen to log in at",
    ).id
    if seen in OBEYING:
        return
    if seen == LOCK_SCREEN:
        leave_lock_screen(ctx)
    if seen in (LOCK_SCREEN, PASSWORD_SCREEN):
        enter_password(ctx, password)
    if not ctx.console.screen.shows(POWERSHELL):
        ctx.console.screen.wait_for(
            DESKTOP, deadline=Deadline(ctx.settings.login_timeout_s), fail=LOGIN_FAILURES
        )
        open_powershell(ctx)
    run_in_powershell(ctx, command)
    try:
        wait_for(ctx, *OBEYING, fail=SYSPREP_FAILURES)
    except VmError:
        if ctx.vm.status().state != "shutdown":
            raise
