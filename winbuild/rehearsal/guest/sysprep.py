"""sysprep.exe: makes this Windows an image that begins anew at its next start."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from . import dialogs, power, trouble, widgets
from .answers import AnswerFileError, read_answers
from .cmd import Invocation
from .computer import ADMINISTRATOR, COMPUTER_NAME_KEY, Computer
from .stage import Stage, Steps, Window

FOLDER = "C:\\Windows\\System32\\sysprep"
LOGS = f"{FOLDER}\\Panther"
GENERALIZED = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
# How often generalizing resets the activation clock when the answer file has no SkipRearm.
REARMS = {"7": 3, "8": 1001}
SIZE = (430, 150)
ACTIONS = {"oobe", "generalize", "shutdown", "reboot", "quit", "quiet", "audit"}
# The entry that a store app of one user leaves when it blocks generalizing.
FAILURE = (
    "SYSPRP Package rehearsal.app_1.0.0.0_x64 was installed for a user, but not provisioned for"
    " all users. This package will not function properly in the sysprep image.",
    "SYSPRP Failed to remove apps for the current user: 0x80073cf2.",
    "SYSPRP RunExternalDlls: An error occurred while running registry sysprep DLLs,"
    " halting sysprep execution. dwRet = 0x3cf2",
)

NO_REARM = "SYSPRP RunExternalDlls: the remaining rearm count is 0; dwRet = 0xc004d307"


def run_program(call: Invocation) -> Steps[int]:
    """sysprep.exe with its options. With /shutdown or /reboot it does not come back."""
    computer = call.computer
    options = {word.lstrip("/-").partition(":")[0].lower() for word in call.arguments}
    unknown = options - ACTIONS - {"unattend", "mode"}
    if unknown or "oobe" not in options:
        _log(computer, f"SYSPRP The command line is not valid: {call.tail}", error=True)
        yield from _error(computer.stage, computer.stage.texts("sysprep.error"))
        return 1
    window, texts = _open(computer.stage), computer.stage.texts
    _log(computer, f"SYSPRP Sysprep is run with {call.tail}")
    _say(window, texts("sysprep.working"))
    yield computer.stage.pause()
    yield from trouble.at(computer.stage, "sysprep")
    fault = _check(call)
    if fault:
        _log(computer, f"SYSPRP {fault}", error=True)
        computer.stage.hide_window(window)
        yield from _error(computer.stage, texts("sysprep.error.unattend"))
        return 1
    failure: tuple[str, ...] = ()
    if computer.system.switch("sysprep") == "fail":
        failure = FAILURE
    elif "generalize" in options and not _rearm(call):
        failure = (NO_REARM,)
    if failure:
        for line in failure:
            _log(computer, line, error=True)
        computer.stage.hide_window(window)
        yield from _error(computer.stage, texts("sysprep.error"))
        return 1
    for phase in ("cleanup", "generalize") if "generalize" in options else ("cleanup",):
        _say(window, texts(f"sysprep.{phase}"))
        _log(computer, f"SYSPRP Processing phase {phase}")
        yield computer.stage.pause()
    _reseal(call, "generalize" in options)
    yield computer.stage.pause(0.3, 1.0)
    computer.stage.hide_window(window)
    if options & {"shutdown", "reboot"}:
        yield from power.end_session(computer.stage, restart="reboot" in options)
    return 0


def _unattend(call: Invocation) -> str | None:
    """The Windows path given with /unattend:."""
    for word in call.arguments:
        name, _, path = word.lstrip("/-").partition(":")
        if name.lower() == "unattend":
            return call.computer.drives.absolute(path, call.cmd.folder)
    return None


def _check(call: Invocation) -> str | None:
    """What is wrong with the answer file, if anything."""
    path = _unattend(call)
    if path is None:
        return None
    file = call.computer.drives.existing(path)
    if file is None:
        return f"The answer file {path} does not exist; dwRet = 0x2"
    try:
        read_answers(file)
    except AnswerFileError as exc:
        return f"The answer file cannot be used: {exc}"
    return None


def _rearm(call: Invocation) -> bool:
    """Reset the activation clock, unless the answer file says not to; False if used up."""
    computer, path = call.computer, _unattend(call)
    file = computer.drives.existing(path) if path else None
    if file is not None and read_answers(file).skip_rearm:
        return True
    left = int(computer.state.get("rearms_left", REARMS[computer.stage.look.era]))
    if left == 0:
        return False
    computer.save_state(rearms_left=left - 1)
    return True


def _reseal(call: Invocation, generalize: bool) -> None:
    """Write what the next start goes by; take away what belongs to this machine alone."""
    computer = call.computer
    path = _unattend(call)
    if path is not None:
        source = computer.drives.existing(path)
        if source is not None:
            copy = computer.file(f"{LOGS}\\unattend.xml")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
    if generalize:
        computer.registry.delete(COMPUTER_NAME_KEY)
        computer.registry.delete(r"HKLM\SYSTEM\MountedDevices")
        computer.registry.delete(r"HKLM\SECURITY\SAM", "MachineSid")
        computer.accounts.remove_password(ADMINISTRATOR)
        for pattern in ("C:\\Windows\\Temp", "C:\\Windows\\System32\\winevt\\Logs"):
            _empty(computer.drives.existing(pattern))
        computer.set_image_state(GENERALIZED)
        computer.append(f"{FOLDER}\\Sysprep_succeeded.tag", "")
    computer.save_state(
        phase="specialize",
        answer_file=f"{LOGS}\\unattend.xml" if path else None,
        after_sysprep=True,
        computer_name=None,
    )
    _log(computer, "SYSPRP Sysprep has finished")


def _empty(folder: Path | None) -> None:
    for file in folder.iterdir() if folder is not None and folder.is_dir() else []:
        if file.is_file():
            file.unlink()


def _log(computer: Computer, text: str, *, error: bool = False) -> None:
    computer.setup_log(text, error=error, folder=LOGS)


def _open(stage: Stage) -> Window:
    window = Window(
        (stage.size[0] - SIZE[0]) // 2, (stage.size[1] - SIZE[1]) // 2, Image.new("RGB", SIZE)
    )
    stage.show_window(window)
    return window


def _say(window: Window, words: str) -> None:
    assert window.stage is not None, "the window is open"
    stage = window.stage
    title = stage.texts("sysprep.title")
    inside = widgets.window(window.image, (0, 0, *SIZE), title, stage.look)
    widgets.paragraph(
        window.image, (inside[0] + 20, inside[1] + 36, inside[2] - 20, inside[3]), words, 13
    )
    window.changed()


def _error(stage: Stage, words: str) -> Steps[None]:
    yield from dialogs.ask(
        stage, stage.texts("sysprep.error.title"), words, [stage.texts("setup.ok")]
    )
