"""PowerShell: the program as scripts start it, and what its prompt makes of a line.

The rehearsal has no PowerShell language. It knows the guest scripts by their file names and
does in Python what they do (`first_boot`); at the prompt it starts programs and scripts and
knows a handful of commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from . import power
from .cmd import Cmd, ExitCmd, Invocation
from .stage import Steps

FUNCTIONS_FILE = "wakame-functions.ps1"
# Options of powershell.exe that take a value.
WITH_VALUE = {
    "-executionpolicy",
    "-ep",
    "-inputformat",
    "-outputformat",
    "-version",
    "-windowstyle",
}
BUILTIN_ALIASES = {
    "cat": "type",
    "cd": "cd",
    "copy": "copy",
    "copy-item": "copy",
    "del": "del",
    "dir": "dir",
    "echo": "echo",
    "get-childitem": "dir",
    "get-content": "type",
    "ls": "dir",
    "md": "md",
    "mkdir": "md",
    "move": "move",
    "ren": "ren",
    "set-location": "cd",
    "type": "type",
    "write-host": "echo",
    "write-output": "echo",
}
# A program with windows of its own does not keep the prompt waiting.
OWN_WINDOWS = re.compile(r"(sysprep|_installer)(\.exe)?$", re.IGNORECASE)


def run_program(call: Invocation) -> Steps[int]:
    """powershell.exe with -File or -Command."""
    words = list(call.arguments)
    while words:
        word = words.pop(0)
        option = word.lower()
        if option in WITH_VALUE:
            words[:1] = []
        elif option in ("-file", "-f"):
            return (yield from _run_file(call, words[0] if words else ""))
        elif option in ("-command", "-c"):
            return (yield from run_line(call.cmd, " ".join(words)))
        elif not option.startswith("-"):
            if option.endswith(".ps1"):
                return (yield from _run_file(call, word))
            return (yield from run_line(call.cmd, " ".join([word, *words])))
    return 0


def _run_file(call: Invocation, path: str) -> Steps[int]:
    from . import first_boot

    file = call.computer.drives.existing(path, call.cmd.folder)
    if file is None:
        call.computer.setup_log(f"powershell: there is no file {path!r}", error=True)
        return call.fail(f"The argument '{path}' to the -File parameter does not exist.", -196608)
    script = first_boot.SCRIPTS.get(file.name.lower())
    if script is None:
        message = f"{path}: the rehearsal does not know this script"
        call.computer.setup_log(f"powershell: {message}", error=True)
        return call.fail(message)
    missing = _missing_functions(file)
    if missing:
        call.computer.setup_log(f"powershell: {path} needs {missing}", error=True)
        return call.fail(f"The term '{missing}' is not recognized.")
    yield call.computer.stage.pause(0.2, 0.6)  # PowerShell takes its time to start
    return (yield from script(call))


def _missing_functions(file: Path) -> str | None:
    """The file of functions that the script reads, if it is not there beside it."""
    text = file.read_bytes().decode("utf-8", errors="replace")
    beside = [entry.name.lower() for entry in file.parent.iterdir()]
    if FUNCTIONS_FILE in text.lower() and FUNCTIONS_FILE not in beside:
        return FUNCTIONS_FILE
    return None


def run_line(cmd: Cmd, line: str) -> Steps[int]:
    """What the prompt does with `line`. Output and messages go to the outputs of `cmd`."""
    line = line.strip()
    called = re.match(r"&\s*", line)
    line = line[called.end() :] if called else line
    match = re.match(r"'([^']*)'|\"([^\"]*)\"|(\S+)", line)
    if match is None:
        return 0
    name = next(group for group in match.groups() if group is not None)
    tail = line[match.end() :]
    if not called and match[3] is None:
        cmd.out(name + "\n")  # a string alone says itself
        return 0
    special = _COMMANDS.get(name.lower())
    if special is not None:
        return (yield from special(cmd, tail))
    if name.lower() in BUILTIN_ALIASES:
        return (yield from cmd.run_line(f"{BUILTIN_ALIASES[name.lower()]} {tail.strip()}"))
    return (yield from _start(cmd, name, tail))


def _start(cmd: Cmd, name: str, tail: str) -> Steps[int]:
    from . import programs

    full = _find(cmd, name)
    if full is None and programs.find(cmd, name, None) is None:
        cmd.err(
            f"{name} : The term '{name}' is not recognized as the name of a cmdlet, function,\n"
            "script file, or operable program. Check the spelling of the name, or if a path\n"
            "was included, verify that the path is correct and try again.\n"
        )
        cmd.computer.setup_log(f"powershell prompt: '{name}' is not recognized", error=True)
        return 1
    if OWN_WINDOWS.search(full or name):
        cmd.computer.stage.start(cmd.run_program(f'"{full or name}"', tail))
        return 0
    try:
        return (yield from cmd.run_program(f'"{full or name}"', tail))
    except ExitCmd as end:
        return end.code


def _find(cmd: Cmd, name: str) -> str | None:
    """PowerShell starts what lies in the current folder only if its path says so."""
    if any(char in name for char in "\\/:"):
        return cmd.find_program(name)
    outside = Cmd(cmd.computer, folder="C:\\Windows\\System32")
    return outside.find_program(name)


def _end_session(restart: bool) -> Callable[[Cmd, str], Steps[int]]:
    def run(cmd: Cmd, tail: str) -> Steps[int]:
        power.begin(cmd.computer.stage, restart=restart)
        yield from ()
        return 0

    return run


_COMMANDS: dict[str, Callable[[Cmd, str], Steps[int]]] = {
    "stop-computer": _end_session(False),
    "restart-computer": _end_session(True),
}
