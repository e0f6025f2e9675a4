"""A small cmd.exe: runs the guest scripts on the rehearsal's Windows.

Commands are tasks (`stage.Steps`), because a script waits for installers and sysprep. What cmd
has built in is in `cmd_builtins`, programs are in `programs`. A command that nobody knows is
an error in setuperr.log and errorlevel 9009, as Windows says it, never silence.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from . import cmd_syntax
from .cmd_lookup import PATH_SUFFIXES, SCRIPTS, SYSTEM_FOLDERS, find_file, split_name
from .cmd_syntax import Block, If, Joined, Node, Redirect, Simple, SyntaxFault
from .computer import Computer
from .stage import Steps

NOT_FOUND = 9009
Sink = Callable[[str], None]


def nowhere(text: str) -> None:
    """The sink of `> nul`."""


class _Goto(Exception):
    def __init__(self, label: str) -> None:
        self.label = label


class _ExitScript(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class ExitCmd(Exception):
    """`exit` without /b: the whole cmd.exe ends."""

    def __init__(self, code: int) -> None:
        self.code = code


@dataclass
class Script:
    """A script that is being run, and how far."""

    path: str  # in full
    lines: list[str]
    arguments: list[str]  # %0, %1 ...
    next_line: int = 0
    echo: bool = True
    saved: list[tuple[dict[str, str], str]] = field(default_factory=list)


@dataclass
class Invocation:
    """One program as it is started: what it needs to know."""

    cmd: Cmd
    name: str
    tail: str  # everything behind the name, as written
    arguments: list[str]  # its words, without quotes
    out: Sink
    err: Sink
    file: Path | None = None  # the program's file, where there is one

    @property
    def computer(self) -> Computer:
        return self.cmd.computer

    def fail(self, message: str, code: int = 1) -> int:
        """Say what is wrong, on the error output; the code to return."""
        self.err(message + "\n")
        return code


Program = Callable[[Invocation], Steps[int]]


class Cmd:
    """One cmd.exe with its variables, current folder and errorlevel."""

    def __init__(
        self,
        computer: Computer,
        out: Sink = nowhere,
        err: Sink | None = None,
        *,
        folder: str = "C:\\Windows\\System32",
        user: str = "SYSTEM",
    ) -> None:
        self.computer = computer
        self.out, self.err = out, err or out
        self.folder = folder
        self.user = user
        self.errorlevel = 0
        self.scripts: list[Script] = []
        self.variables = {
            "SYSTEMROOT": "C:\\Windows",
            "WINDIR": "C:\\Windows",
            "SYSTEMDRIVE": "C:",
            "COMSPEC": "C:\\Windows\\System32\\cmd.exe",
            "PROGRAMFILES": "C:\\Program Files",
            "PROGRAMDATA": "C:\\ProgramData",
            "PUBLIC": "C:\\Users\\Public",
            "TEMP": "C:\\Windows\\Temp",
            "TMP": "C:\\Windows\\Temp",
            "OS": "Windows_NT",
            "PROCESSOR_ARCHITECTURE": "AMD64",
            "PATH": ";".join(SYSTEM_FOLDERS),
            "PATHEXT": ";".join(PATH_SUFFIXES).upper(),
            "COMPUTERNAME": computer.name,
            "USERNAME": user,
            "USERPROFILE": f"C:\\Users\\{user}",
        }

    # ---- running lines

    def run_line(self, line: str) -> Steps[int]:
        """One command line, as typed at the prompt or given to `cmd /c`. Returns errorlevel."""
        try:
            yield from self._run_text(line)
        except (_ExitScript, ExitCmd) as end:
            self.errorlevel = end.code
        except _Goto:
            pass  # goto does nothing at the prompt
        return self.errorlevel

    def run_script(self, path: str, arguments: Sequence[str] = ()) -> Steps[int]:
        """A .cmd or .bat file, `path` in full. Returns errorlevel."""
        file = self.computer.drives.existing(path)
        if file is None:
            return self._unknown(path)
        # Real cmd reads bytes of the code page; our scripts are ASCII.
        text = file.read_bytes().decode("utf-8", errors="replace")
        script = Script(path, text.replace("\r\n", "\n").split("\n"), [path, *arguments])
        script.echo = self.scripts[-1].echo if self.scripts else True
        return (yield from self._run_lines(script))

    def _run_lines(self, script: Script) -> Steps[int]:
        self.scripts.append(script)
        try:
            while script.next_line < len(script.lines):
                line = self._next_logical_line(script)
                try:
                    yield from self._run_text(line)
                except _Goto as jump:
                    if jump.label.lower() == "eof":
                        break
                    script.next_line = self._label(script, jump.label)
        except _ExitScript as end:
            self.errorlevel = end.code
        finally:
            while script.saved:  # endlocal is implied at the end of a script
                self.variables, self.folder = script.saved.pop()
            self.scripts.remove(script)
        return self.errorlevel

    @staticmethod
    def _next_logical_line(script: Script) -> str:
        """A line, with those that a caret or an open parenthesis joins to it."""
        text = ""
        while script.next_line < len(script.lines):
            line = script.lines[script.next_line]
            script.next_line += 1
            if line.endswith("^") and not line.endswith("^^"):
                text += line[:-1]
                continue
            text += line
            if not cmd_syntax.open_parentheses(text):
                break
            text += "\n"
        return text

    def _label(self, script: Script, label: str) -> int:
        wanted = label.lower()
        for number, line in enumerate(script.lines):
            match = re.match(r"\s*:([^\s:+&|<>]+)", line)
            if match and match[1].lower() == wanted:
                return number + 1
        self._fault(f"The system cannot find the batch label specified - {label}")
        raise _ExitScript(1)

    def _run_text(self, text: str) -> Steps[None]:
        script = self.scripts[-1] if self.scripts else None
        expanded = self.expand(text)
        try:
            node = cmd_syntax.parse(expanded)
        except SyntaxFault as exc:
            self._fault(f"{exc}: {text.strip()}")
            self.errorlevel = 255
            if script is not None:
                raise ExitCmd(255) from exc  # cmd.exe gives up the whole script, too
            return
        if node is None:
            return
        if script is not None and script.echo and not expanded.lstrip().startswith("@"):
            self.out(f"\n{self.folder}>{expanded.strip()}\n")
        yield from self._run_node(node)

    def expand(self, text: str) -> str:
        """`text` with its percent signs replaced, as they stand now."""
        script = self.scripts[-1] if self.scripts else None
        arguments, path = (script.arguments, script.path) if script else (None, "")
        return cmd_syntax.expand(text, self._all_variables(), arguments, path)

    def _all_variables(self) -> dict[str, str]:
        now = time.localtime()
        return {
            "CD": self.folder,
            "DATE": time.strftime("%a %m/%d/%Y", now),
            "TIME": time.strftime("%H:%M:%S", now) + ".00",
            "ERRORLEVEL": str(self.errorlevel),
            "RANDOM": str(self.computer.stage.chance.randrange(32768)),
            **self.variables,
        }

    def _fault(self, message: str) -> None:
        """What cmd refuses is said and logged."""
        self.err(message + "\n")
        where = self.scripts[-1].path if self.scripts else "the prompt"
        self.computer.setup_log(f"cmd.exe, {where}: {message}", error=True)

    def _unknown(self, name: str) -> int:
        self._fault(
            f"'{name}' is not recognized as an internal or external command,"
            " operable program or batch file."
        )
        self.errorlevel = NOT_FOUND
        return NOT_FOUND

    # ---- running trees

    def _run_node(self, node: Node) -> Steps[None]:
        if isinstance(node, Joined):
            yield from self._run_node(node.left)
            if node.operator == "&" or (self.errorlevel == 0) == (node.operator == "&&"):
                yield from self._run_node(node.right)
        elif isinstance(node, If):
            if self._holds(node) != node.negated:
                yield from self._run_node(node.then)
            elif node.otherwise is not None:
                yield from self._run_node(node.otherwise)
        elif isinstance(node, Block):
            with ExitStack() as stack:
                if self._redirect(node.redirects, stack):
                    for command in node.commands:
                        yield from self._run_node(command)
        else:
            with ExitStack() as stack:
                if self._redirect(node.redirects, stack):
                    yield from self._run_simple(node)

    def _holds(self, node: If) -> bool:
        left, right = node.left, node.right
        if node.test == "errorlevel":
            return left.isdigit() and self.errorlevel >= int(left)
        if node.test == "defined":
            return left.upper() in self._all_variables()
        if node.test == "exist":
            return self.exists(left.replace('"', ""))
        if node.any_case:
            left, right = left.lower(), right.lower()
        if node.test == "==":
            return left == right
        numbers = [re.fullmatch(r"-?\d+", side) for side in (left, right)]
        order = (
            (int(left) > int(right)) - (int(left) < int(right))
            if all(numbers)
            else (left > right) - (left < right)
        )
        return {
            "EQU": order == 0,
            "NEQ": order != 0,
            "LSS": order < 0,
            "LEQ": order <= 0,
            "GTR": order > 0,
            "GEQ": order >= 0,
        }[node.test]

    def exists(self, path: str) -> bool:
        """`if exist`: a file, a folder, or something that fits a pattern."""
        from .cmd_builtins import matching

        return bool(matching(self, path))

    def _redirect(self, redirects: tuple[Redirect, ...], stack: ExitStack) -> bool:
        """Turn the outputs as written; they turn back with `stack`. False if that failed."""
        before = (self.out, self.err)

        def turn_back() -> None:
            self.out, self.err = before

        stack.callback(turn_back)
        for redirect in redirects:
            if redirect.handle == 0:
                continue
            if redirect.target in ("&1", "&2"):
                sink: Sink | None = self.out if redirect.target == "&1" else self.err
            else:
                sink = self._open_sink(redirect, stack)
            if sink is None:
                return False
            if redirect.handle == 1:
                self.out = sink
            else:
                self.err = sink
        return True

    def _open_sink(self, redirect: Redirect, stack: ExitStack) -> Sink | None:
        if redirect.target.lower() == "nul":
            return nowhere
        file = self.computer.drives.path(redirect.target, self.folder)
        try:
            if file is None:
                raise FileNotFoundError(redirect.target)
            mode = "a" if redirect.append else "w"
            stream = stack.enter_context(
                file.open(mode, encoding="utf-8", newline="\r\n", buffering=1)
            )
        except OSError:
            self.err("The system cannot find the path specified.\n")
            self.errorlevel = 1
            return None

        def write(text: str) -> None:
            stream.write(text)

        return write

    def _run_simple(self, node: Simple) -> Steps[None]:
        from .cmd_builtins import BUILTINS

        name, tail = split_name(node.text)
        if not name:
            return
        if re.fullmatch(r"[A-Za-z]:", name):
            if name[0].upper() in self.computer.drives.letters():
                self.folder = name.upper() + "\\"
            else:
                self.err("The system cannot find the drive specified.\n")
                self.errorlevel = 1
            return
        builtin = BUILTINS.get(name.lower())
        if builtin is not None:
            code = yield from builtin(self, tail)
            if code is not None:
                self.errorlevel = code
            return
        called = bool(self.scripts)
        self.errorlevel = yield from self.run_program(name, tail)
        if called and self._is_script(name):
            raise _ExitScript(self.errorlevel)  # without `call`, a script does not come back

    # ---- finding and running programs

    def find_program(self, name: str) -> str | None:
        """Full Windows path of the script or program that `name` starts; None if none."""
        path = self.variables.get("PATH", "").split(";")
        return find_file(self.computer.drives, name, self.folder, path)

    def _is_script(self, name: str) -> bool:
        return (self.find_program(name) or "").lower().endswith(SCRIPTS)

    def run_program(self, name: str, tail: str) -> Steps[int]:
        """Start what `name` stands for, wait for its end, and return its code."""
        from . import programs

        full = self.find_program(name)
        if full is not None and full.lower().endswith(SCRIPTS):
            return (yield from self.run_script(full, cmd_syntax.script_arguments(tail)))
        program = programs.find(self, name.replace('"', ""), full)
        if program is None:
            return self._unknown(name)
        file = self.computer.drives.existing(full) if full else None
        arguments = cmd_syntax.split_arguments(tail)
        call = Invocation(self, name, tail.strip(), arguments, self.out, self.err, file)
        return (yield from program(call))

    # ---- what the built-in commands change

    def goto(self, label: str) -> None:
        raise _Goto(label)

    def exit_script(self, code: int) -> None:
        raise _ExitScript(code)

    def call_label(self, label: str, arguments: Sequence[str]) -> Steps[int]:
        """`call :label`: the rest of this script from a label on, as a script of its own."""
        here = self.scripts[-1]
        inner = Script(here.path, here.lines, [f":{label}", *arguments], echo=here.echo)
        if label.lower() == "eof":
            return self.errorlevel
        inner.next_line = self._label(here, label)
        return (yield from self._run_lines(inner))
