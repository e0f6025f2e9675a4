"""What a person does at a Windows console: log in, open PowerShell, type a command.

Everything goes by what the screen shows. The names are ids of the screen catalogue
(winbuild/screen/catalogue).
"""

from __future__ import annotations

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
SYSPREP = "sysprep.working"
SHUTTING_DOWN = "shutdown.in-progress"

CRASHES = ("crash.blue-screen",)
SETUP_FAILURES = ("setup.error", "firmware.no-boot", *CRASHES)
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
    *AGENT_PAGES,
    SYSPREP,
    SHUTTING_DOWN,
)

# A person confirms the moment they have acted, and Windows takes a little to show it.
CONFIRM_WAIT_S = 10.0


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


def check_command_given(ctx: StepContext, command: str, effect: str) -> None:
    """Raise CheckFailed unless the effect of the command shows (or something later)."""
    _check_shows(ctx, WALK[WALK.index(effect) :], wait_s=60.0)


def _check_shows(
    ctx: StepContext,
    names: tuple[str, ...],
    *,
    refused: tuple[str, ...] = (),
    wait_s: float = CONFIRM_WAIT_S,
) -> None:
    # Windows has come to the end of the walk if it powered itself off.
    if ctx.vm.status().state == "shutdown" and SHUTTING_DOWN in names:
        return
    boots.require_vm(ctx)
    try:
        ctx.console.screen.wait_for(*names, deadline=Deadline(wait_s), fail=refused)
    except VmError as exc:
        if ctx.vm.status().state == "shutdown" and SHUTTING_DOWN in names:
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
        try:
            screen.wait_for(
                POWERSHELL, deadline=Deadline(min(20, deadline.remaining)), fail=CRASHES
            )
            return
        except GuestTimeout:
            continue
    deadline.check("a PowerShell window in front")


def run_in_powershell(ctx: StepContext, command: str) -> None:
    """Type a command into the PowerShell window and press return."""
    wait_for(ctx, POWERSHELL)
    ctx.console.keyboard.type_line(command)


def leave_page(ctx: StepContext, page: str) -> None:
    """Press return on a page of the installer; once more if the key was lost."""
    later = WALK[WALK.index(page) + 1 :]
    for _ in range(2):
        ctx.console.keyboard.press("ret")
        try:
            ctx.console.screen.wait_for(*later, deadline=Deadline(30), fail=SYSPREP_FAILURES)
            return
        except GuestTimeout:
            if not ctx.console.screen.shows(page):
                return
        except VmError:
            if ctx.vm.status().state == "shutdown":
                return
            raise


def log_in_and_run(ctx: StepContext, password: str, command: str) -> None:
    """From wherever the console stands: log in, open PowerShell, and run one command.

    Returns at once if Windows has shut itself down already.
    """
    if ctx.vm.status().state == "shutdown":
        return
    boots.require_vm(ctx)
    screen = ctx.console.screen
    seen = screen.wait_for(
        LOCK_SCREEN,
        PASSWORD_SCREEN,
        WELCOME,
        DESKTOP,
        POWERSHELL,
        SYSPREP,
        SHUTTING_DOWN,
        deadline=Deadline(ctx.settings.install_timeout_s),
        fail=SETUP_FAILURES,
    ).id
    if seen in (SYSPREP, SHUTTING_DOWN):
        return
    if seen == LOCK_SCREEN:
        leave_lock_screen(ctx)
    if seen in (LOCK_SCREEN, PASSWORD_SCREEN):
        enter_password(ctx, password)
    if not screen.shows(POWERSHELL):
        screen.wait_for(
            DESKTOP, deadline=Deadline(ctx.settings.login_timeout_s), fail=LOGIN_FAILURES
        )
        open_powershell(ctx)
    run_in_powershell(ctx, command)
