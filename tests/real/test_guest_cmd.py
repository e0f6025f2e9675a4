"""The guest's command scripts, executed by Wine's cmd.

The floppy is drive A: (a folder here), C: is a private Wine prefix. Windows' own programs,
PowerShell and the agent's installer are replaced by a recorder (recorder.asm), which writes
down how it was called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from winbuild.guest.scripts import floppy_scripts
from winbuild.media.sysprep_script import run_sysprep_cmd

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("wine")]

KEY = "BCDFG-HJKMN-PQRTV-WXY23-46789"
INSTALLER = "zabbix_agent-1.8.15-1.JP_installer.exe"
SYSPREP_CALL = (
    r"\System32\Sysprep\sysprep.exe /oobe /generalize /shutdown"
    r" /unattend:c:\Windows\Setup\Scripts\Unattend-for-first-boot.xml"
)
UNATTEND = b"<unattend/>\n"

# Where the recorder stands in for a program, below C:\windows.
SYSPREP = "system32/Sysprep/sysprep.exe"
CSCRIPT = "system32/cscript.exe"
POWERSHELL = "system32/WindowsPowerShell/v1.0/powershell.exe"
POWERCFG = "system32/powercfg.exe"
STAND_INS = (SYSPREP, CSCRIPT, POWERSHELL, POWERCFG)


class Guest:
    """A Wine prefix that is, as far as the scripts see, a Windows."""

    def __init__(self, folder: Path) -> None:
        self.floppy = folder / "floppy"
        self.output = folder / "output"
        self.prefix = folder / "prefix"
        self.c = self.prefix / "drive_c"
        self.windows = self.c / "windows"
        self.scripts = self.windows / "Setup" / "Scripts"
        self.recorders = {code: assemble(folder, code) for code in (0, 5)}
        self.env = {
            **os.environ,
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            # No offer to download add-ons; and the stand-ins instead of Wine's own programs.
            "WINEDLLOVERRIDES": "mscoree,mshtml=;cscript.exe,powershell.exe,powercfg.exe=n",
        }
        self.env.pop("DISPLAY", None)
        self.prefix.mkdir()
        # Between two calls the server stays: to start it anew takes seconds.
        subprocess.run(["wineserver", "-p60"], env=self.env, check=True, timeout=60)
        self.wine("wineboot", "-i")
        self.floppy.mkdir()
        (self.prefix / "dosdevices" / "a:").symlink_to(self.floppy)

    def wine(self, *words: str) -> tuple[int, str]:
        """Exit code and output. Not through a pipe, which Wine's services would hold open."""
        with self.output.open("wb") as output:
            done = subprocess.run(
                ["wine", *words],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                timeout=180,
                check=False,
            )
        return done.returncode, self.output.read_text()

    def stop(self) -> None:
        subprocess.run(["wineserver", "-k"], env=self.env, check=False, timeout=60)

    def stand_in(self, program: str, exit_code: int = 0) -> None:
        path = self.windows / program
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.recorders[exit_code], path)

    def run(self, script: str) -> tuple[int, str]:
        """Run a script as `cmd /c SCRIPT`; its exit code and what it said."""
        return self.wine("cmd", "/c", script)

    @property
    def calls(self) -> list[str]:
        """The command lines of the programs that ran, in order, without blanks at the end."""
        log = self.c / "calls.log"
        if not log.exists():
            return []
        return [line.rstrip() for line in log.read_text().splitlines()]

    def log(self, name: str) -> str:
        return (self.scripts / name).read_text()

    def prepare(self) -> None:
        """The state at the end of the installation's first phase, with the floppy in A:."""
        for folder in (self.windows / "Setup", self.windows / "Panther", self.floppy):
            shutil.rmtree(folder, ignore_errors=True)
        (self.c / "calls.log").unlink(missing_ok=True)
        (self.windows / "system32/Sysprep/unattend.xml").unlink(missing_ok=True)
        self.floppy.mkdir()
        for name, content in floppy_scripts().items():
            (self.floppy / name).write_bytes(content)
        (self.floppy / "Unattend-for-first-boot.xml").write_bytes(UNATTEND)
        (self.floppy / "run-sysprep.cmd").write_bytes(run_sysprep_cmd(KEY, INSTALLER))
        shutil.copy(self.recorders[0], self.floppy / INSTALLER)
        for program in STAND_INS:
            self.stand_in(program)


def assemble(folder: Path, exit_code: int) -> Path:
    program = folder / f"recorder-{exit_code}.exe"
    source = Path(__file__).with_name("recorder.asm")
    command = ["nasm", "-f", "bin", f"-DEXIT_CODE={exit_code}", "-o", str(program), str(source)]
    subprocess.run(command, check=True, timeout=60)
    return program


@pytest.fixture(scope="module")
def installed_wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    guest = Guest(tmp_path_factory.mktemp("wine"))
    yield guest
    guest.stop()


@pytest.fixture
def guest(installed_wine: Guest) -> Guest:
    installed_wine.prepare()
    return installed_wine


@pytest.fixture
def installed(guest: Guest) -> Guest:
    """The guest after FinalStepsForInstall.cmd."""
    assert guest.run(r"A:\FinalStepsForInstall.cmd") == (0, "")
    return guest


def test_the_installation_copies_every_script(guest: Guest) -> None:
    assert guest.run(r"A:\FinalStepsForInstall.cmd") == (0, "")
    there = {path.name: path.read_bytes() for path in guest.scripts.iterdir()}
    log = there.pop("final-steps-for-install.log")
    assert b"done" in log and b"FAILED" not in log
    expected = floppy_scripts()
    del expected["FinalStepsForInstall.cmd"]
    expected["SetupComplete.cmd"] = expected["SetupComplete-install.cmd"]
    expected["Unattend-for-first-boot.xml"] = UNATTEND
    assert there == expected


def test_the_answer_file_s_way_of_starting_it_passes_the_exit_code_on(guest: Guest) -> None:
    (guest.floppy / "wakame-functions.ps1").unlink()
    code, _ = guest.run(r"cmd.exe /c A:\FinalStepsForInstall.cmd")
    assert code == 3


@pytest.mark.parametrize(
    "missing",
    sorted({*floppy_scripts(), "Unattend-for-first-boot.xml"} - {"FinalStepsForInstall.cmd"}),
)
def test_a_script_that_the_floppy_lacks_fails_the_installation(guest: Guest, missing: str) -> None:
    (guest.floppy / missing).unlink()
    code, _ = guest.run(r"A:\FinalStepsForInstall.cmd")
    # 1 and 2 would ask Windows Setup for a restart.
    assert code == 3
    assert "FAILED" in guest.log("final-steps-for-install.log")


def test_it_can_be_run_twice(installed: Guest) -> None:
    assert installed.run(r"A:\FinalStepsForInstall.cmd") == (0, "")


def test_the_end_of_the_installation_keeps_the_display_on(installed: Guest) -> None:
    assert installed.run(r"C:\windows\Setup\Scripts\SetupComplete.cmd") == (0, "")
    assert installed.calls == [r'"C:\windows\System32\powercfg.exe" -change -monitor-timeout-ac 0']
    assert "the installation is complete" in installed.log("setup-complete.log")


def test_the_end_of_the_installation_does_without_powercfg(installed: Guest) -> None:
    (installed.windows / POWERCFG).unlink()
    assert installed.run(r"C:\windows\Setup\Scripts\SetupComplete.cmd") == (0, "")
    assert installed.calls == []


@pytest.mark.parametrize("typed", [r"A:\run-sysprep.cmd", "a:run-sysprep"])
def test_run_sysprep_installs_agent_and_key_then_generalizes(installed: Guest, typed: str) -> None:
    code, said = installed.run(typed)
    assert (code, said) == (0, "")
    agent, key, sysprep = installed.calls
    assert agent.upper() == rf'"A:\{INSTALLER}"'.upper()
    assert key == rf'cscript.exe //b //nologo "C:\windows\System32\slmgr.vbs" /ipk {KEY}'
    assert sysprep == rf"C:\windows{SYSPREP_CALL}"
    complete = (installed.scripts / "SetupComplete.cmd").read_bytes()
    assert complete == floppy_scripts()["SetupComplete-firstboot.cmd"]
    assert KEY not in installed.log("run-sysprep.log")


def test_run_sysprep_without_a_key_leaves_windows_its_own(installed: Guest) -> None:
    (installed.floppy / "run-sysprep.cmd").write_bytes(run_sysprep_cmd(None, INSTALLER))
    assert installed.run(r"A:\run-sysprep.cmd") == (0, "")
    assert [call.split()[0] for call in installed.calls] == [
        rf'"A:\{INSTALLER}"',
        r"C:\windows\System32\Sysprep\sysprep.exe",
    ]


def test_run_sysprep_copes_with_a_difficult_installer_name(installed: Guest) -> None:
    name = "agent & 100% (x64)^!.exe"
    (installed.floppy / "run-sysprep.cmd").write_bytes(run_sysprep_cmd(None, name))
    shutil.copy(installed.recorders[0], installed.floppy / name)
    assert installed.run(r"A:\run-sysprep.cmd") == (0, "")
    assert installed.calls[0] == rf'"A:\{name}"'


def test_answer_files_left_behind_are_out_of_sysprep_s_way(installed: Guest) -> None:
    for script in (r"A:\run-sysprep.cmd", r"C:\windows\Setup\Scripts\sysprep-for-backup.cmd"):
        left = [installed.windows / "system32/Sysprep/unattend.xml"]
        left.append(installed.windows / "Panther/unattend.xml")
        for path in left:
            path.parent.mkdir(exist_ok=True)
            path.write_text("left behind")
        assert installed.run(script)[0] == 0
        assert not any(path.exists() for path in left)


def test_a_failing_installer_stops_before_anything_else(installed: Guest) -> None:
    shutil.copy(installed.recorders[5], installed.floppy / INSTALLER)
    code, said = installed.run(r"A:\run-sysprep.cmd")
    assert code == 1 and "the agent's installer ended with an error" in said
    assert len(installed.calls) == 1


def test_a_refused_key_stops_before_sysprep(installed: Guest) -> None:
    installed.stand_in(CSCRIPT, exit_code=5)
    code, said = installed.run(r"A:\run-sysprep.cmd")
    assert code == 1 and "refused the product key" in said
    assert len(installed.calls) == 2 and KEY not in said
    complete = (installed.scripts / "SetupComplete.cmd").read_bytes()
    assert complete == floppy_scripts()["SetupComplete-install.cmd"]


@pytest.mark.parametrize(
    "script", [r"A:\run-sysprep.cmd", r"C:\windows\Setup\Scripts\sysprep-for-backup.cmd"]
)
def test_a_failing_sysprep_is_said(installed: Guest, script: str) -> None:
    installed.stand_in(SYSPREP, exit_code=5)
    code, said = installed.run(script)
    assert code == 1 and "FAILED" in said and "setuperr.log" in said


@pytest.mark.parametrize(
    "script", [r"A:\run-sysprep.cmd", r"C:\windows\Setup\Scripts\sysprep-for-backup.cmd"]
)
def test_without_its_answer_file_nothing_is_generalized(installed: Guest, script: str) -> None:
    (installed.scripts / "Unattend-for-first-boot.xml").unlink()
    code, said = installed.run(script)
    assert code == 1 and "FAILED" in said
    assert installed.calls == []


def test_without_the_first_boot_script_nothing_is_generalized(installed: Guest) -> None:
    (installed.scripts / "SetupComplete-firstboot.cmd").unlink()
    assert installed.run(r"C:\windows\Setup\Scripts\sysprep-for-backup.cmd")[0] == 1
    assert installed.calls == []


def test_a_backup_makes_the_next_boot_a_first_boot(installed: Guest) -> None:
    assert installed.run(r"C:\windows\Setup\Scripts\sysprep-for-backup.cmd") == (0, "")
    assert installed.calls == [rf"C:\windows{SYSPREP_CALL}"]
    complete = (installed.scripts / "SetupComplete.cmd").read_bytes()
    assert complete == floppy_scripts()["SetupComplete-firstboot.cmd"]


@pytest.mark.parametrize(
    ("script", "powershell_script", "log"),
    [
        ("SetupComplete-firstboot.cmd", "wakame-init-first-boot.ps1", "wakame-first-boot.log"),
        ("wakame-init-every-boot.cmd", "wakame-init-every-boot.ps1", "wakame-every-boot.log"),
    ],
)
def test_boots_start_powershell_and_log_how_it_ended(
    installed: Guest, script: str, powershell_script: str, log: str
) -> None:
    assert installed.run(rf"C:\windows\Setup\Scripts\{script}") == (0, "")
    (call,) = installed.calls
    assert call.startswith(r'"C:\windows\System32\WindowsPowerShell\v1.0\powershell.exe" ')
    assert call.endswith(rf'-File "C:\windows\Setup\Scripts\{powershell_script}"')
    assert "-ExecutionPolicy Bypass" in call
    assert "PowerShell ended with 0" in installed.log(log)
    installed.stand_in(POWERSHELL, exit_code=5)
    installed.run(rf"C:\windows\Setup\Scripts\{script}")
    assert "PowerShell ended with 5" in installed.log(log)


def test_what_programs_say_on_stderr_is_logged(installed: Guest) -> None:
    """`2>&1` before `>>` would send errors to a console that nobody sees."""
    (installed.windows / POWERSHELL).unlink()
    _, said = installed.run(r"C:\windows\Setup\Scripts\SetupComplete-firstboot.cmd")
    log = installed.log("wakame-first-boot.log")
    assert "powershell.exe" in log and "powershell.exe" not in said
