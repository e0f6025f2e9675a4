"""The guest's cmd.exe at work: built-in commands, programs, scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from guest_world import World

from winbuild.rehearsal.guest.cmd import Cmd
from winbuild.rehearsal.guest.computer import Computer
from winbuild.rehearsal.guest.looks import LOOKS
from winbuild.rehearsal.guest.stage import Stage
from winbuild.rehearsal.guest.texts import Texts


class Prompt:
    """Runs command lines in a world and keeps what they say."""

    def __init__(self, world: World) -> None:
        self.world = world
        look = LOOKS["8"]
        self.stage = Stage(
            world.display,
            world,
            world,
            Texts("en-US", "8"),
            look,
            chance=world.chance,
            clock=lambda: world.now,
        )
        self.computer = Computer(self.stage, world.mount_system())
        self.out: list[str] = []
        self.err: list[str] = []
        self.cmd = Cmd(self.computer, self.out.append, self.err.append)

    def run(self, line: str) -> int:
        self.out.clear()
        self.err.clear()
        return self.stage.run(self.cmd.run_line(line))

    def script(self, text: str, *arguments: str) -> int:
        self.world.put("C/test.cmd", "@echo off\n" + text)
        words = " ".join(f'"{word}"' for word in arguments)
        return self.run(f"call C:\\test.cmd {words}")

    @property
    def said(self) -> str:
        return "".join(self.out)

    @property
    def complained(self) -> str:
        return "".join(self.err)


@pytest.fixture
def prompt(tmp_path: Path) -> Prompt:
    world = World(tmp_path)
    (tmp_path / "C/Windows/System32").mkdir(parents=True)
    return Prompt(world)


def test_files_are_found_in_any_case(prompt: Prompt) -> None:
    prompt.world.put("A/ReadMe.TXT", "hello\r\n")
    assert prompt.run("type a:\\readme.txt") == 0
    assert prompt.said == "hello\n"
    assert prompt.run("copy /y A:README.txt c:\\windows\\Other.txt") == 0
    assert "1 file(s) copied" in prompt.said
    assert prompt.world.text("C/Windows/Other.txt") == "hello\n"
    assert prompt.run("ren C:\\WINDOWS\\other.txt new.txt & del /q c:\\windows\\NEW.txt") == 0
    assert not list((prompt.world.folder / "C/Windows").glob("*.txt"))


def test_copy_fails_visibly(prompt: Prompt) -> None:
    assert prompt.run("copy /y A:\\none.txt C:\\") == 1
    assert "cannot find the file" in prompt.complained
    prompt.world.put("A/a.txt", "")
    assert prompt.run("copy A:\\a.txt Q:\\a.txt") == 1
    assert prompt.run("copy A:\\a.txt C:\\no\\such\\folder\\a.txt") == 1


def test_wildcards_folders_moves(prompt: Prompt) -> None:
    for name in ("a.cmd", "b.cmd", "c.txt"):
        prompt.world.put(f"A/{name}", name)
    assert prompt.run("md C:\\deep\\er && copy A:\\*.cmd C:\\deep\\er") == 0
    assert "2 file(s) copied" in prompt.said
    assert prompt.run("if exist C:\\deep\\er\\*.cmd echo there") == 0
    assert prompt.said == "there\n"
    assert prompt.run("xcopy C:\\deep D:\\x /s") == 4
    assert prompt.run("xcopy C:\\deep C:\\copy /s /e /i /y") == 0
    assert prompt.world.text("C/copy/er/b.cmd") == "b.cmd"
    assert prompt.run("move C:\\copy\\er\\b.cmd C:\\b.cmd & rd /s /q C:\\copy") == 0
    assert prompt.world.text("C/b.cmd") == "b.cmd"
    assert prompt.run("rd C:\\deep") == 145
    assert prompt.run("md C:\\deep") == 1


def test_redirections(prompt: Prompt) -> None:
    assert prompt.run("(echo one & echo two) > C:\\log.txt") == 0
    assert prompt.run("copy A:\\no C:\\ >> C:\\log.txt 2>&1") == 1
    assert prompt.complained == ""
    lines = prompt.world.text("C/log.txt").splitlines()
    assert lines[:2] == ["one ", "two"] and "cannot find" in lines[2]
    assert b"\r\n" in prompt.world.file("C/log.txt").read_bytes()
    prompt.run("echo gone > nul")
    assert prompt.said == ""
    assert prompt.run("echo x > C:\\no\\folder\\f.txt") == 1
    assert "cannot find the path" in prompt.complained


def test_scripts_variables_and_arguments(prompt: Prompt) -> None:
    code = prompt.script(
        'setlocal\nset "NAME=a b"\nset LOG=%~dp0log\n'
        "echo %NAME%;%LOG%;%1;%~2;%~n0\nendlocal\necho [%NAME%]\nexit /b 7\necho never\n",
        "x",
        "y z",
    )
    assert code == 7
    assert prompt.said == 'a b;C:\\log;"x";y z;test\n[]\n'


def test_goto_call_and_errorlevel(prompt: Prompt) -> None:
    prompt.world.put("C/inner.cmd", "@exit /b %1\n")
    code = prompt.script(
        "call C:\\inner.cmd 3\nif errorlevel 4 goto wrong\nif %ERRORLEVEL% EQU 3 call :sub hello\n"
        "goto END\n:wrong\necho wrong\n:sub\necho %1 from sub\ngoto :eof\n:end\necho end\n"
    )
    assert code == 3
    assert prompt.said == "hello from sub\nend\n"


def test_without_call_a_script_does_not_come_back(prompt: Prompt) -> None:
    prompt.world.put("C/inner.cmd", "@echo inner\n")
    prompt.script("C:\\inner.cmd\necho never\n")
    assert prompt.said == "inner\n"


def test_if_blocks_and_chains(prompt: Prompt) -> None:
    prompt.script(
        'if "%SystemRoot%"=="C:\\Windows" (\n  echo yes\n  if not exist C:\\x (echo no x) '
        "else (\n echo x)\n) else (\n  echo no\n)\n"
        "type C:\\x 2>nul || echo failed\nver >nul && echo worked\n"
        "if defined NOTHING echo a\nif 10 GTR 9 echo numbers\n"
    )
    assert prompt.said == "yes\nno x\nfailed\nworked\nnumbers\n"


def test_echo_on_shows_the_lines(prompt: Prompt) -> None:
    prompt.world.put("C/loud.cmd", "echo hi\n@echo quiet\n")
    prompt.run("call C:\\loud.cmd")
    assert prompt.said == "\nC:\\Windows\\System32>echo hi\nhi\nquiet\n"


def test_an_unknown_command_is_an_error(prompt: Prompt) -> None:
    assert prompt.run("frobnicate /now") == 9009
    assert "'frobnicate' is not recognized" in prompt.complained
    assert "frobnicate" in prompt.world.text("C/Windows/Panther/setuperr.log")
    assert prompt.run("C:\\no\\such.exe") == 9009


def test_unsupported_syntax_ends_the_script(prompt: Prompt) -> None:
    assert prompt.script("for %%i in (a) do echo %%i\necho never\n") == 255
    assert prompt.said == ""
    assert "for is not supported" in prompt.world.text("C/Windows/Panther/setuperr.log")


def test_missing_label(prompt: Prompt) -> None:
    assert prompt.script("goto nowhere\n") == 1
    assert "nowhere" in prompt.complained


def test_registry(prompt: Prompt) -> None:
    key = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"
    assert prompt.run(f'reg add "{key}" /v fDenyTSConnections /t REG_DWORD /d 0 /f') == 0
    assert prompt.run(f'reg query "{key.upper()}" /v FDENYTSCONNECTIONS') == 0
    assert "fDenyTSConnections    REG_DWORD    0" in prompt.said
    assert prompt.run(f'reg delete "{key}" /v fdenytsconnections /f') == 0
    assert prompt.run(f'reg query "{key}" /v fDenyTSConnections') == 1
    assert prompt.run("reg frob HKLM\\X") == 1
    again = Computer(prompt.stage, prompt.world.mount_system())
    assert again.registry.values(key) == {}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("netsh advfirewall set currentprofile state off", 0),
        ("%SystemRoot%\\System32\\netsh.exe  advfirewall firewall add rule name=x dir=in", 0),
        ("netsh dance", 1),
        ("bcdedit /set bootstatuspolicy ignoreallfailures", 0),
        ("sc config x start= auto", 0),
        ("slmgr /ipk AAAAA", 1),
        (
            "cscript //b C:\\Windows\\System32\\slmgr.vbs /ipk D2N9P-3P6X9-2R39C-7RTCD-MDVJX",
            0,
        ),
        ("cscript //b C:\\Windows\\System32\\slmgr.vbs /ato", 1),
        ("cscript other.vbs", 1),
        ("net user Nobody x", 2),
        ("cmd /c exit 5", 5),
        ('cmd.exe /c "ver"', 0),
        ("powershell -File C:\\no.ps1", -196608),
        ("schtasks /create /tn T /sc onstart /tr C:\\x.cmd /f", 0),
        ("schtasks /create /tn T", 1),
        ("hostname", 0),
    ],
)
def test_programs(prompt: Prompt, line: str, code: int) -> None:
    assert prompt.run(line) == code


def test_secrets_are_in_no_log(prompt: Prompt) -> None:
    prompt.computer.accounts.set_password("Administrator", "old")
    prompt.run("net user Administrator Secret-Word1")
    prompt.run("slmgr /ipk D2N9P-3P6X9-2R39C-7RTCD-MDVJX")
    assert prompt.computer.accounts.accepts("administrator", "Secret-Word1")
    for file in prompt.world.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"Secret-Word1" not in content and b"3P6X9" not in content, file


def test_start_waits_only_if_asked(prompt: Prompt) -> None:
    prompt.world.put("C/slow.cmd", "@ping -n 30 127.0.0.1\n@echo done> C:\\done.txt\n")
    before = prompt.world.now
    assert prompt.run('start "" C:\\slow.cmd') == 0
    assert prompt.world.now - before < 1
    assert prompt.run('start "title" /wait "C:\\slow.cmd"') == 0
    assert prompt.world.now - before >= 30
    assert prompt.world.text("C/done.txt") == "done\n"
    assert prompt.run('start "" /wait C:\\none.exe') == 9009


def test_a_drive_of_its_own(prompt: Prompt) -> None:
    prompt.world.put("A/x.cmd", "@echo from A\n")
    assert prompt.run("A: & x.cmd") == 0
    assert prompt.said == "from A\n"
    assert prompt.run("Q:") == 1


def test_a_full_disk_is_reported(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    prompt.world.put("A/x.txt", "x")
    monkeypatch.setattr(Path, "write_bytes", full)
    assert prompt.run("copy A:\\x.txt C:\\x.txt") == 1
    assert "No space left" in prompt.complained
