"""The passes specialize and oobeSystem, and what Windows runs by itself. Imports Pillow."""

from __future__ import annotations

import random
import string

from . import dialogs, pages, power, trouble
from .answers import AnswerFileError, Answers, Command, hide_secrets, read_answers
from .cmd import Cmd, ExitCmd
from .computer import ADMINISTRATOR, Computer
from .stage import Steps

SETUP_ANSWER_FILE = "C:\\Windows\\Panther\\unattend.xml"
SETUP_COMPLETE = "C:\\Windows\\Setup\\Scripts\\SetupComplete.cmd"
COMPLETE = "IMAGE_STATE_COMPLETE"
NAME_CHARS = string.ascii_uppercase + string.digits


def answers_of(computer: Computer) -> Answers:
    """The answer file that this start goes by; empty without one. Raises AnswerFileError."""
    file = computer.drives.existing(_answer_file(computer))
    return Answers() if file is None else read_answers(file)


def _answer_file(computer: Computer) -> str:
    return str(computer.state.get("answer_file") or SETUP_ANSWER_FILE)


def specialize(computer: Computer) -> Steps[None]:
    """Devices, the computer's name, and the commands of the pass."""
    stage, texts = computer.stage, computer.stage.texts
    percent = 0
    for low, high in ((8, 30), (40, 70), (80, 99)):
        percent = stage.chance.randint(low, high)
        _show(computer, texts("ready.devices", percent=percent), percent)
        yield stage.pause(0.2, 0.8)
    yield from trouble.at(stage, "specialize")
    answers = yield from _read(computer, "specialize")
    if computer.state.get("commands_done", 0) == 0:
        _give_name(computer, answers)
    for key in ("ready.services", "ready.registry") if stage.look.era == "7" else ("ready.ready",):
        _show(computer, texts(key))
        yield stage.pause(0.3, 1.0)
    yield from _run_commands(computer, answers.specialize_commands)
    computer.setup_log("specialize: done")
    computer.save_state(phase="oobe", commands_done=None)
    if stage.system.switch("extra-reboot"):
        yield from power.end_session(stage, restart=True)


def _read(computer: Computer, windows_pass: str) -> Steps[Answers]:
    try:
        return answers_of(computer)
    except AnswerFileError as exc:
        words = computer.stage.texts("setup.error.unattend-file", file=str(exc))
        yield from _fail(computer, f"{windows_pass}: {exc}", words)
        raise


def _fail(computer: Computer, log: str, words: str) -> Steps[None]:
    """Setup cannot go on: say so, for ever, since a restart would only bring it back here."""
    computer.setup_log(log, error=True)
    while True:
        title, ok = computer.stage.texts("setup.title.install"), computer.stage.texts("setup.ok")
        yield from dialogs.ask(computer.stage, title, words, [ok])
        yield computer.stage.pause()


def _give_name(computer: Computer, answers: Answers) -> None:
    name = answers.computer_name or str(computer.state.get("computer_name") or "*")
    if name == "*":
        name = "WIN-" + "".join(random.SystemRandom().choices(NAME_CHARS, k=11))
    computer.rename(name, at_once=True)
    sid = "-".join(str(random.SystemRandom().randrange(10**9, 4 * 10**9)) for _ in range(3))
    computer.registry.add(r"HKLM\SECURITY\SAM", "MachineSid", "REG_SZ", f"S-1-5-21-{sid}")
    computer.setup_log(f"specialize: the computer name is {name}")


def _run_commands(computer: Computer, commands: tuple[Command, ...]) -> Steps[None]:
    """Each command once, over restarts. With OnRequest the exit code says what to do next."""
    stage = computer.stage
    for number, command in enumerate(commands, start=1):
        if number <= computer.state.get("commands_done", 0):
            continue
        code = yield from run_command(computer, command.line)
        computer.setup_log(f"specialize: command {number} exited with {code}")
        on_request = command.will_reboot.lower() == "onrequest"
        if on_request and code not in (0, 1, 2):
            log = f"specialize: command {number} ({command.line}) exited with {code}"
            yield from _fail(computer, log, stage.texts("setup.error.failed"))
        if not (on_request and code == 2):
            computer.save_state(commands_done=number)
        if command.will_reboot.lower() == "always" or (on_request and code in (1, 2)):
            yield from power.end_session(stage, restart=True)


def run_command(computer: Computer, line: str) -> Steps[int]:
    """A command line that Windows itself runs, as SYSTEM; what it says goes to setupact.log."""

    def say(text: str) -> None:
        if text.strip():
            computer.setup_log(f"    {text.strip()}")

    def complain(text: str) -> None:
        if text.strip():
            computer.setup_log(f"    {text.strip()}", error=True)

    try:
        return (yield from Cmd(computer, say, complain).run_line(line))
    except ExitCmd as end:
        return end.code


def oobe(computer: Computer) -> Steps[None]:
    """The last pass: the Administrator's password, language, and SetupComplete.cmd."""
    stage, texts = computer.stage, computer.stage.texts
    yield from trouble.at(stage, "oobe")
    answers = yield from _read(computer, "oobeSystem")
    for key in ("ready.ready", "ready.applying", "ready.finalizing"):
        _show(computer, texts(key))
        yield stage.pause(0.3, 1.0)
    if answers.administrator_password is not None:
        computer.accounts.set_password(ADMINISTRATOR, answers.administrator_password)
    elif not computer.accounts.has_password(ADMINISTRATOR):
        words = texts("oobe.password")
        yield from _fail(computer, "oobeSystem: there is no AdministratorPassword", words)
    use_keyboard(computer, answers)
    computer.set_image_state(COMPLETE)
    computer.setup_log("oobeSystem: done")
    # Before the script is run, because it may power the machine off.
    computer.save_state(phase="ready", first_logon_due=True)
    file = computer.drives.existing(_answer_file(computer))
    if file is not None:
        hide_secrets(file)
    if computer.drives.existing(SETUP_COMPLETE) is not None:
        code = yield from run_command(computer, f'cmd.exe /c "{SETUP_COMPLETE}"')
        computer.setup_log(f"SetupComplete.cmd exited with {code}")


def use_keyboard(computer: Computer, answers: Answers) -> None:
    """Type as the answer file says; Setup's choice stands where that is of the same kind.

    A Japanese input locale alone does not make it a 106-key keyboard: Setup's layered driver
    does, and sysprep keeps it.
    """
    wanted, current = answers.keyboard, str(computer.state.get("keyboard") or "us")
    japanese = "jp106" in (wanted, current) and str(computer.state.get("language")) == "ja-JP"
    if wanted is not None and wanted != current and not japanese:
        computer.save_state(keyboard=wanted)
    computer.stage.inputs.use_layout(str(computer.state.get("keyboard") or "us"))


def run_first_logon(computer: Computer) -> Steps[None]:
    """The FirstLogonCommands of the answer file, once after each installation or sysprep."""
    if not computer.state.get("first_logon_due"):
        return
    computer.save_state(first_logon_due=None)
    for number, command in enumerate(answers_of(computer).first_logon_commands, start=1):
        code = yield from run_command(computer, command.line)
        computer.setup_log(f"FirstLogonCommands: command {number} exited with {code}")


def run_start_tasks(computer: Computer) -> Steps[None]:
    """The scheduled tasks that run at every start of Windows."""
    from .programs import TASKS_KEY

    prefix = computer.registry.full_name(TASKS_KEY) + "\\"
    for key in computer.registry.keys_below(prefix):
        if computer.registry.get(key, "Schedule") == "ONSTART":
            command = computer.registry.get(key, "Command") or ""
            computer.system.log(f"scheduled task {key.removeprefix(prefix)}")
            yield from run_command(computer, command)


def _show(computer: Computer, words: str, turn: int = 0) -> None:
    stage = computer.stage
    stage.set_backdrop(pages.status_screen(stage.size, stage.look, words, turn=turn))
