"""The programs of Windows that guest scripts call.

Those with nothing but an effect on the system are rows of `programs.toml`; those that answer,
wait, draw or change what the rehearsal remembers are functions here or in modules of their
own, imported when they are first run. Secrets in arguments (keys, passwords) go into no log.
"""

from __future__ import annotations

import importlib
import re
import time
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from .cmd import Cmd, Invocation, Program
from .hive import Registry
from .stage import Steps

COMMANDS_LOG = "C:\\Windows\\Panther\\rehearsal-commands.log"
TASKS_KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\Tasks"
PRODUCT_KEY = re.compile(r"([BCDFGHJKMNPQRTVWXY2346789]{5}-){4}[BCDFGHJKMNPQRTVWXY2346789]{5}")
SUFFIX = re.compile(r"\.(exe|com)$", re.IGNORECASE)


def note(call: Invocation, arguments: str | None = None) -> None:
    """Write the call down, as evidence; `arguments` in place of those that hold a secret."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    shown = call.tail if arguments is None else arguments
    name = SUFFIX.sub("", call.name.replace('"', "").rpartition("\\")[2]).lower()
    call.computer.append(COMMANDS_LOG, f"{stamp} {name} {shown}".rstrip() + "\n")


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    with Path(__file__).with_name("programs.toml").open("rb") as stream:
        return tomllib.load(stream)


def find(cmd: Cmd, name: str, full: str | None) -> Program | None:
    """What to run for `name`, whose file is `full` if it has one; None: nobody knows it."""
    from . import agent_installer

    stem = SUFFIX.sub("", name.rpartition("\\")[2]).lower()
    in_system = full is None and ("\\" not in name or "\\windows\\" in name.lower())
    if full is not None:
        file = cmd.computer.drives.existing(full)
        if file is not None and agent_installer.is_installer(file):
            return agent_installer.install
        in_system = full.lower().startswith("c:\\windows\\")
    if not in_system:
        return None
    if stem in PROGRAMS:
        return PROGRAMS[stem]
    if stem in ELSEWHERE:
        module, function = ELSEWHERE[stem]
        found: Program = getattr(importlib.import_module(module, __package__), function)
        return found
    row = _table().get(stem)
    return None if row is None else _by_row(row)


def _by_row(row: dict[str, Any]) -> Program:
    def run(call: Invocation) -> Steps[int]:
        yield call.computer.stage.pause(0.02, 0.1)
        given = re.sub(r"\s+", " ", call.tail.replace('"', "")).lower() + " "
        if any(given.startswith(beginning) for beginning in row["accepts"]):
            note(call)
            if row["says"]:
                call.out(row["says"] + "\n")
            return 0
        first = call.arguments[0] if call.arguments else ""
        message = row["refuses"].format(first=first)
        call.computer.setup_log(f"{call.name} {call.tail}: {message}", error=True)
        return call.fail(message)

    return run


def _reg(call: Invocation) -> Steps[int]:
    yield from ()
    words = call.arguments
    registry = call.computer.registry
    verb = words[0].lower() if words else ""
    key = words[1] if len(words) > 1 else ""
    options = _options(words[2:], {"/v", "/t", "/d", "/s"})
    value = "" if "/ve" in options else options.get("/v")
    root = Registry.full_name(key).partition("\\")[0]
    if verb not in ("add", "query", "delete") or not root.startswith("HKEY_"):
        return call.fail("ERROR: Invalid syntax.")
    if verb == "add":
        registry.add(key, value, options.get("/t", "REG_SZ"), options.get("/d", ""))
        note(call, f"add {key} /v {value}" if value is not None else f"add {key}")
    elif verb == "delete":
        if not registry.delete(key, value):
            return call.fail("ERROR: The system was unable to find the specified registry key.")
        note(call)
    else:
        found = registry.values(key)
        if found is not None and value is not None:
            found = {n: v for n, v in found.items() if n.lower() == value.lower()} or None
        if found is None:
            return call.fail("ERROR: The system was unable to find the specified registry key.")
        call.out(f"\n{Registry.full_name(key)}\n")
        for name, (kind, text) in found.items():
            call.out(f"    {name or '(Default)'}    {kind}    {text}\n")
        call.out("\n")
        return 0
    call.out("The operation completed successfully.\n")
    return 0


def _options(words: list[str], with_value: set[str]) -> dict[str, str]:
    """Options in lower case with their values ("" for a switch)."""
    options: dict[str, str] = {}
    at = 0
    while at < len(words):
        name = words[at].lower()
        if name in with_value and at + 1 < len(words):
            at += 1
            options[name] = words[at]
        else:
            options[name] = ""
        at += 1
    return options


def _schtasks(call: Invocation) -> Steps[int]:
    yield from ()
    options = _options(call.arguments, {"/tn", "/sc", "/ru", "/tr", "/rl", "/delay"})
    registry, name = call.computer.registry, options.get("/tn", "")
    if "/create" in options and name and options.get("/tr") and options.get("/sc"):
        if registry.values(f"{TASKS_KEY}\\{name}") is not None and "/f" not in options:
            return call.fail("ERROR: The task name already exists.")
        registry.add(f"{TASKS_KEY}\\{name}", "Schedule", "REG_SZ", options["/sc"].upper())
        registry.add(f"{TASKS_KEY}\\{name}", "Command", "REG_SZ", options["/tr"])
        call.out(f'SUCCESS: The scheduled task "{name}" has successfully been created.\n')
    elif "/delete" in options and name:
        if not registry.delete(f"{TASKS_KEY}\\{name}"):
            return call.fail("ERROR: The system cannot find the file specified.")
        call.out(f'SUCCESS: The scheduled task "{name}" was successfully deleted.\n')
    elif "/query" in options:
        command = registry.get(f"{TASKS_KEY}\\{name}", "Command")
        if command is None:
            return call.fail("ERROR: The system cannot find the file specified.")
        call.out(f"{name}  {command}\n")
    else:
        return call.fail("ERROR: Invalid syntax.")
    note(call)
    return 0


def _net(call: Invocation) -> Steps[int]:
    yield from ()
    words = call.arguments
    if len(words) < 2 or words[0].lower() not in ("user", "start", "stop"):
        return call.fail("The syntax of this command is incorrect.")
    note(call, " ".join(words[:2]))
    if words[0].lower() == "user":
        accounts, user = call.computer.accounts, words[1]
        password = next((word for word in words[2:] if not word.startswith("/")), None)
        if not accounts.exists(user):
            return call.fail("The user name could not be found.", 2)
        if password is not None:
            accounts.set_password(user, password)
    call.out("The command completed successfully.\n")
    return 0


def _cscript(call: Invocation) -> Steps[int]:
    scripts = [word for word in call.arguments if not word.startswith("//")]
    if not scripts or not scripts[0].lower().replace("/", "\\").endswith("slmgr.vbs"):
        name = scripts[0] if scripts else ""
        call.computer.setup_log(f"cscript: there is no script {name!r}", error=True)
        return call.fail(f'Input Error: Can not find script file "{name}".')
    return (yield from _license(call, scripts[1:]))


def _slmgr(call: Invocation) -> Steps[int]:
    return (yield from _license(call, call.arguments))


def _license(call: Invocation, words: list[str]) -> Steps[int]:
    yield call.computer.stage.pause(0.1, 0.4)
    verb = words[0].lower().lstrip("-/") if words else ""
    note(call, f"slmgr /{verb}")
    if verb == "ipk":
        key = words[1] if len(words) > 1 else ""
        if not PRODUCT_KEY.fullmatch(key.upper()):
            return call.fail("Error: 0xC004F050 The product key is invalid.")
        call.computer.save_state(product_key_ends=key[-5:].upper())
        call.out(f"Installed product key {key[-5:].upper()} successfully.\n")
        return 0
    if verb == "ato":
        # No activation server can be reached from a rehearsal.
        return call.fail("Error: 0x8007232B DNS name does not exist.")
    if verb in ("dli", "dlv", "xpr", "rearm", "skms", "upk"):
        call.out("Command completed successfully.\n")
        return 0
    return call.fail("Unrecognized option.")


def _shutdown(call: Invocation) -> Steps[int]:
    options = _options(call.arguments, {"/t", "/c", "/d"})
    options |= {f"/{name[1:]}": text for name, text in options.items() if name[:1] == "-"}
    if not {"/s", "/r", "/p"} & options.keys():
        return call.fail("The parameter is incorrect.(87)", 87)
    note(call)
    from . import power

    seconds = 0 if "/p" in options else int(options.get("/t") or 30)
    power.begin(call.computer.stage, restart="/r" in options, after_s=seconds)
    yield from ()
    return 0


def _wait(call: Invocation) -> Steps[int]:
    """timeout, and ping, which scripts use for waiting."""
    numbers = [int(word) for word in call.arguments if word.isdigit()]
    yield float(numbers[0] if numbers else 3)
    return 0


def _cmd(call: Invocation) -> Steps[int]:
    from .cmd import ExitCmd

    match = re.match(r"\s*(/[a-z]\s+)*?/c\s*(.*)", call.tail, re.IGNORECASE | re.DOTALL)
    if match is None:
        return call.fail("cmd without /c needs a window of its own.")
    line = match[2]
    quoted = re.fullmatch(r'"([^"&<>()@^|]*\s[^"&<>()@^|]*)"', line.strip())
    if line.startswith('"') and not (quoted and call.cmd.find_program(quoted[1])):
        # cmd takes off the first and the last quote, unless they hold a program's name together.
        line = '"'.join(line[1:].rsplit('"', 1)[:1]) + line[1:].rpartition('"')[2]
    inner = Cmd(call.computer, call.out, call.err, folder=call.cmd.folder, user=call.cmd.user)
    inner.variables = dict(call.cmd.variables)
    try:
        return (yield from inner.run_line(line))
    except ExitCmd as end:
        return end.code


def _say(what: str) -> Program:
    def run(call: Invocation) -> Steps[int]:
        yield from ()
        texts = {"hostname": call.computer.name, "whoami": call.cmd.user.lower()}
        call.out(texts[what] + "\n")
        return 0

    return run


PROGRAMS: dict[str, Program] = {
    "cmd": _cmd,
    "cscript": _cscript,
    "hostname": _say("hostname"),
    "net": _net,
    "ping": _wait,
    "reg": _reg,
    "schtasks": _schtasks,
    "shutdown": _shutdown,
    "slmgr": _slmgr,
    "slmgr.vbs": _slmgr,
    "timeout": _wait,
    "whoami": _say("whoami"),
}
# Programs in modules of their own: name → (module, function).
ELSEWHERE = {
    "powershell": (".powershell", "run_program"),
    "sysprep": (".sysprep", "run_program"),
}
