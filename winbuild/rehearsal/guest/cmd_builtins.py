"""The commands that cmd.exe has built in. Each is (cmd, tail) → errorlevel, None to keep it."""

from __future__ import annotations

import fnmatch
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from .cmd import Cmd, nowhere
from .cmd_lookup import split_name
from .cmd_syntax import script_arguments, split_arguments
from .stage import Steps

Builtin = Callable[[Cmd, str], Steps[int | None]]
NOT_THERE = "The system cannot find the file specified.\n"
NO_PATH = "The system cannot find the path specified.\n"


def matching(cmd: Cmd, path: str) -> list[Path]:
    """Files and folders that a path with or without `*` and `?` means, in order."""
    folder, _, pattern = path.replace("/", "\\").rstrip("\\").rpartition("\\")
    if not any(char in pattern for char in "*?"):
        found = cmd.computer.drives.existing(path, cmd.folder)
        return [] if found is None else [found]
    parent = cmd.computer.drives.existing(folder + "\\" if folder else ".", cmd.folder)
    if parent is None or not parent.is_dir():
        return []
    pattern = "*" if pattern == "*.*" else pattern.lower()
    return sorted(e for e in parent.iterdir() if fnmatch.fnmatchcase(e.name.lower(), pattern))


def _switches(tail: str) -> tuple[list[str], set[str]]:
    """Words, and switches in lower case without the slash."""
    words, switches = [], set()
    for word in split_arguments(tail):
        if re.fullmatch(r"(/[-A-Za-z:]+)+", word):
            switches.update(word.lower().lstrip("/").split("/"))
        else:
            words.append(word)
    return words, switches


def _echo(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    script = cmd.scripts[-1] if cmd.scripts else None
    words = tail.strip().lower()
    if words in ("on", "off"):
        if script is not None:
            script.echo = words == "on"
    elif not words:
        cmd.out(f"ECHO is {'on' if script is None or script.echo else 'off'}.\n")
    else:
        cmd.out(tail[1:] + "\n")
    return None


def _set(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    text = tail.lstrip()
    if text.startswith("/"):
        cmd.computer.setup_log(f"cmd.exe: set {text}: not in the rehearsal", error=True)
        return 1
    if text.startswith('"'):
        text = text[1 : text.rfind('"')] if text.count('"') > 1 else text[1:]
    name, equals, value = text.partition("=")
    if not equals:
        wanted = name.strip().upper()
        found = {k: v for k, v in sorted(cmd.variables.items()) if k.startswith(wanted)}
        cmd.out("".join(f"{key}={value}\n" for key, value in found.items()))
        return 0 if found else 1
    cmd.variables.pop(name.upper(), None)
    if value:
        cmd.variables[name.upper()] = value
    return 0


def _setlocal(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    if cmd.scripts:
        cmd.scripts[-1].saved.append((dict(cmd.variables), cmd.folder))
    return None


def _endlocal(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    if cmd.scripts and cmd.scripts[-1].saved:
        cmd.variables, cmd.folder = cmd.scripts[-1].saved.pop()
    return None


def _goto(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    cmd.goto(tail.strip().lstrip(":").split()[0] if tail.strip(" :") else "")
    return None


def _call(cmd: Cmd, tail: str) -> Steps[int | None]:
    name, rest = split_name(cmd.expand(tail.strip()))  # for the second time
    if not name:
        return None
    if name.startswith(":") and cmd.scripts:
        return (yield from cmd.call_label(name[1:], script_arguments(rest)))
    if name.replace('"', "").lower() in BUILTINS:
        return (yield from BUILTINS[name.lower()](cmd, rest))
    return (yield from cmd.run_program(name, rest))


def _exit(cmd: Cmd, tail: str) -> Steps[int | None]:
    from .cmd import ExitCmd

    yield from ()
    words = tail.split()
    in_script = bool(words) and words[0].lower() == "/b"
    number = words[1:2] if in_script else words[:1]
    code = int(number[0]) if number and re.fullmatch(r"-?\d+", number[0]) else cmd.errorlevel
    if in_script:
        cmd.exit_script(code)
    raise ExitCmd(code)


def _md(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, _ = _switches(tail)
    for word in words:
        place = cmd.computer.drives.path(word, cmd.folder)
        if place is None:
            cmd.err(NO_PATH)
            return 1
        if place.exists():
            cmd.err(f"A subdirectory or file {word} already exists.\n")
            return 1
        place.mkdir(parents=True)
    return 0


def _rd(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, switches = _switches(tail)
    for word in words:
        place = cmd.computer.drives.existing(word, cmd.folder)
        if place is None or not place.is_dir():
            cmd.err(NOT_THERE)
            return 2
        if "s" in switches:
            shutil.rmtree(place)
        elif any(place.iterdir()):
            cmd.err("The directory is not empty.\n")
            return 145
        else:
            place.rmdir()
    return 0


def _copy(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, _ = _switches(tail)
    if not words or any("+" in word for word in words):
        cmd.err("The syntax of the command is incorrect.\n")
        return 1
    sources = [file for file in matching(cmd, words[0]) if file.is_file()]
    if words[0].lower() == "nul":
        sources = [Path("/dev/null")]
    if not sources:
        cmd.err(NOT_THERE)
        cmd.out("        0 file(s) copied.\n")
        return 1
    target = cmd.computer.drives.path(words[1] if len(words) > 1 else ".", cmd.folder)
    if target is None or not (target.is_dir() or target.parent.is_dir()):
        cmd.err(NO_PATH)
        cmd.out("        0 file(s) copied.\n")
        return 1
    for source in sources:
        place = target / source.name if target.is_dir() else target
        if len(sources) > 1 or "*" in words[0]:
            cmd.out(f"{words[0].rpartition(chr(92))[0]}{chr(92)}{source.name}\n")
        place.write_bytes(source.read_bytes())
    cmd.out(f"        {len(sources)} file(s) copied.\n")
    return 0


def _xcopy(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, switches = _switches(tail)
    source = cmd.computer.drives.existing(words[0], cmd.folder) if words else None
    pattern = bool(words) and any(char in words[0] for char in "*?")
    target = cmd.computer.drives.path(words[1] if len(words) > 1 else ".", cmd.folder)
    if target is None or (source is None and not pattern):
        cmd.err(f"File not found - {words[0] if words else ''}\n0 File(s) copied\n")
        return 4
    deep = bool({"s", "e"} & switches)
    items = matching(cmd, words[0]) if pattern or source is None else [source]
    if source is not None and source.is_dir():
        items = sorted(source.iterdir())
    count = 0
    for item in items:
        for file in [item] if item.is_file() else (sorted(item.rglob("*")) if deep else []):
            if file.is_file():
                place = target / (file.relative_to(item.parent))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
                count += 1
    cmd.out(f"{count} File(s) copied\n")
    return 0


def _del(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, _ = _switches(tail)
    for word in words:
        files = [file for file in matching(cmd, word) if file.is_file()]
        if not files:
            cmd.err(f"Could Not Find {cmd.computer.drives.absolute(word, cmd.folder)}\n")
        for file in files:
            file.unlink()
    return 0


def _ren(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, _ = _switches(tail)
    source = cmd.computer.drives.existing(words[0], cmd.folder) if len(words) == 2 else None
    if source is None or "\\" in words[1]:
        cmd.err(NOT_THERE)
        return 1
    target = source.with_name(words[1])
    if target.exists() and target.name.lower() != source.name.lower():
        cmd.err("A duplicate file name exists, or the file cannot be found.\n")
        return 1
    source.rename(target)
    return 0


def _move(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, _ = _switches(tail)
    sources = matching(cmd, words[0]) if len(words) == 2 else []
    target = cmd.computer.drives.path(words[1], cmd.folder) if len(words) == 2 else None
    if not sources or target is None:
        cmd.err(NOT_THERE)
        return 1
    for source in sources:
        shutil.move(source, target / source.name if target.is_dir() else target)
    cmd.out(f"        {len(sources)} file(s) moved.\n")
    return 0


def _type(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    for word in _switches(tail)[0]:
        if word.lower() == "nul":
            continue
        files = matching(cmd, word)
        if not files or not files[0].is_file():
            cmd.err(NOT_THERE)
            return 1
        text = files[0].read_bytes().decode("utf-8", errors="replace")
        cmd.out(text.replace("\r\n", "\n"))
    return 0


def _dir(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, switches = _switches(tail)
    found = matching(cmd, words[0] if words else ".")
    if not found:
        cmd.err("File Not Found\n")
        return 1
    entries = sorted(found[0].iterdir()) if len(found) == 1 and found[0].is_dir() else found
    for entry in entries:
        size = "<DIR>" if entry.is_dir() else f"{entry.stat().st_size:>14,}"
        cmd.out(f"{entry.name}\n" if "b" in switches else f"{size:<16}{entry.name}\n")
    return 0


def _cd(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    words, switches = _switches(tail)
    if not words:
        cmd.out(cmd.folder + "\n")
        return 0
    full = cmd.computer.drives.absolute(words[0], cmd.folder)
    place = cmd.computer.drives.existing(full)
    if place is None or not place.is_dir():
        cmd.err(NO_PATH)
        return 1
    if full[0] == cmd.folder[0] or "d" in switches:
        cmd.folder = full
    return 0


def _start(cmd: Cmd, tail: str) -> Steps[int | None]:
    """`start ["title"] [/wait] [/b] [/min] [/d folder] program arguments`."""
    rest, wait = tail.strip(), False
    if rest.startswith('"'):
        rest = rest[rest.find('"', 1) + 1 :].lstrip() if rest.count('"') > 1 else ""
    while option := re.match(r"/([A-Za-z]+)\s*", rest):
        wait = wait or option[1].lower() in ("w", "wait")
        rest = rest[option.end() :]
        if option[1].lower() == "d":
            rest = re.sub(r'^("[^"]*"|\S+)\s*', "", rest)
    match = re.match(r'("[^"]*"|[^\s"]+)(.*)', rest, re.DOTALL)
    if match is None:
        return 0
    if wait:
        return (yield from cmd.run_program(match[1], match[2]))
    if cmd.find_program(match[1]) is None:
        cmd.err(f"Windows cannot find '{match[1]}'.\n")
        return 2
    beside = Cmd(cmd.computer, nowhere, folder=cmd.folder, user=cmd.user)
    cmd.computer.stage.start(beside.run_program(match[1], match[2]))
    return 0


def _shift(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    if cmd.scripts:
        del cmd.scripts[-1].arguments[:1]
    return None


def _ver(cmd: Cmd, tail: str) -> Steps[int | None]:
    yield from ()
    version = {"7": "6.1.7601", "8": "6.3.9600"}[cmd.computer.stage.look.era]
    cmd.out(f"\nMicrosoft Windows [Version {version}]\n")
    return 0


def _quiet(cmd: Cmd, tail: str) -> Steps[int | None]:
    """title, color, cls, verify ...: nothing that a script could notice."""
    yield from ()
    return None


def _guarded(builtin: Builtin) -> Builtin:
    """What the file system refuses becomes a message and errorlevel 1, as in Windows."""

    def run(cmd: Cmd, tail: str) -> Steps[int | None]:
        try:
            return (yield from builtin(cmd, tail))
        except PermissionError:
            cmd.err("Access is denied.\n")
        except OSError as exc:
            read_only = exc.strerror == "Read-only file system"
            cmd.err("The media is write protected.\n" if read_only else f"{exc.strerror}\n")
        return 1

    return run


BUILTINS: dict[str, Builtin] = {
    "call": _call,
    "cd": _cd,
    "chdir": _cd,
    "cls": _quiet,
    "color": _quiet,
    "copy": _guarded(_copy),
    "del": _guarded(_del),
    "dir": _guarded(_dir),
    "echo": _guarded(_echo),
    "endlocal": _endlocal,
    "erase": _guarded(_del),
    "exit": _exit,
    "goto": _goto,
    "md": _guarded(_md),
    "mkdir": _guarded(_md),
    "move": _guarded(_move),
    "rd": _guarded(_rd),
    "ren": _guarded(_ren),
    "rename": _guarded(_ren),
    "rmdir": _guarded(_rd),
    "set": _set,
    "setlocal": _setlocal,
    "shift": _shift,
    "start": _start,
    "title": _quiet,
    "type": _guarded(_type),
    "ver": _ver,
    "verify": _quiet,
    "xcopy": _guarded(_xcopy),
}
