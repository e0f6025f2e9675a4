"""The guest's cmd.exe beside Wine's: the same scripts say the same and leave the same files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest_world import World
from test_guest_cmd import Prompt

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("wine")]

# Each runs in an empty folder C:\\t with the arguments one and "two words".
SCRIPTS = {
    "if": """\
set A=1
if "%A%"=="1" (echo one) else (echo other)
if "%A%"=="2" (echo one) else echo other
if %A% LEQ 1 echo at most
if not defined B echo not set
if "a b"=="a b" echo same
if /i ABC==abc echo any case
if 1==0 echo x & echo y
if 1==1 (
  echo nested
  if 1==2 (
    echo wrong
  ) else (
    echo right
  )
)
""",
    "echo": """\
echo.
echo:x
echo a^&b "c&d"
echo first& echo second
rem a remark & echo no
:: another
@echo at
echo 100%%
""",
    "call": """\
call :sub x "y z"
echo back %ERRORLEVEL%
call echo twice %%ERRORLEVEL%%
exit /b 4
:sub
echo %0 %1 %~2 %2 %* %~n0
exit /b 9
""",
    "arguments": """\
echo %~n0 %~x0 %~dp0 %1 %2 %~2 [%3]
shift
echo %1 [%2]
""",
    "variables": """\
setlocal
set X=hello world
set "Q=a & b"
echo %X:~0,5% %X:~-5% %X:o=0% %X:hello=bye% %Q:&=and%
set E=
if defined E (echo defined) else echo undefined
endlocal
echo [%X%]
""",
    "goto": """\
goto end
echo skipped
:END
echo end
goto :eof
echo never
""",
    "errorlevel": """\
cmd /c exit 3
if errorlevel 4 echo four
if errorlevel 3 echo three
if %ERRORLEVEL%==3 echo equal
frobnicate 2>nul
echo %ERRORLEVEL%
frobnicate 2>nul || echo failed
cmd /c "echo quoted"
cmd /c echo "two words"
""",
    "files": """\
echo a> f.txt
echo b>> f.txt
type f.txt
type none 2>nul
echo %ERRORLEVEL%
type f.txt >nul && echo there
md a\\b\\c
if exist a\\b\\c echo folder
if exist a\\b\\c\\ echo folder too
copy nul a\\x.txt >nul
if exist a\\*.txt echo by pattern
rd /s /q a
if not exist a echo gone
ren f.txt g.txt
move g.txt h.txt >nul
copy /y h.txt i.txt >nul
copy none j.txt >nul 2>nul
if errorlevel 1 echo not copied
del /q h.txt
dir /b
""",
}


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a fresh Wine prefix."""
    prefix = tmp_path_factory.mktemp("wine")
    env = {
        **os.environ,
        "WINEPREFIX": str(prefix),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
    }
    env.pop("DISPLAY", None)
    subprocess.run(["wineserver", "-p60"], env=env, check=True, timeout=60)
    subprocess.run(["wine", "wineboot", "-i"], env=env, check=True, timeout=180)
    yield env
    subprocess.run(["wineserver", "-k"], env=env, check=False, timeout=60)


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_as_in_wine(tmp_path: Path, wine: dict[str, str], name: str) -> None:
    script = ("@echo off\ncd /d C:\\t\n" + SCRIPTS[name]).replace("\n", "\r\n").encode()
    theirs = in_wine(Path(wine["WINEPREFIX"]) / "drive_c", wine, script, tmp_path / "said")
    world = World(tmp_path / "world")
    (world.folder / "C/t").mkdir()
    world.put("C/case.cmd", script)
    prompt = Prompt(world)
    code = prompt.run('call C:\\case.cmd one "two words"')
    assert (code, lines(prompt.said), files(world.folder / "C/t")) == theirs
    assert prompt.complained == ""


def in_wine(
    c: Path, env: dict[str, str], script: bytes, said: Path
) -> tuple[int, list[str], dict[str, list[str]]]:
    """Exit code, output and files. Not through a pipe, which Wine's services hold open."""
    folder = c / "t"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    (c / "case.cmd").write_bytes(script)
    with said.open("wb") as output:
        argv = ["wine", "cmd", "/c", "C:\\case.cmd", "one", "two words"]
        done = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=output, check=False, timeout=120
        )
    return done.returncode, lines(said.read_text()), files(folder)


def lines(text: str) -> list[str]:
    """Without line ends and the blanks before them, where the two differ."""
    return [line.rstrip() for line in text.splitlines()]


def files(folder: Path) -> dict[str, list[str]]:
    return {file.name: lines(file.read_text()) for file in sorted(folder.iterdir())}
