"""The guest from its first start to generations of first boots, with a person at the keyboard."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from guest_world import POWERSHELL_ICON, SERVER_MANAGER_ICON, Person, World

from winbuild.password import decrypt_password
from winbuild.rehearsal.guest.hive import Accounts, Registry


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ssh") / "key"
    argv = ["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", str(file)]
    subprocess.run(argv, check=True)
    return file


def installed_world(tmp_path: Path, label: str = "2012", tag: str = "en-US", **more: str) -> World:
    world = World(tmp_path, powershell="front", **more)
    world.install(label, tag)
    return world


def generalized_world(tmp_path: Path, label: str = "2012", tag: str = "en-US") -> World:
    world = installed_world(tmp_path, label, tag)
    assert world.boot(world.run_sysprep()) == "power-off"
    world.labels.pop("A")
    return world


@pytest.mark.parametrize(
    ("label", "tag"), [("2012", "en-US"), ("2008", "ja-JP"), ("2012", "de-DE"), ("2008", "en-US")]
)
def test_the_walk_to_sysprep(tmp_path: Path, label: str, tag: str) -> None:
    world = installed_world(tmp_path, label, tag)
    assert world.boot(world.run_sysprep()) == "power-off"
    places = [line[3:] for line in world.log_lines if line.startswith("at ")]
    agent = [f"agent-{page}" for page in range(1, 7)]
    assert places == [
        *("boot", "specialize", "oobe", "lock", "password", "welcome", "desktop", "powershell"),
        *agent,
        *("sysprep", "shutdown"),
    ]
    assert world.text("C/Windows/Setup/State/State.ini").endswith("RESEAL_TO_OOBE\n")
    assert world.file("C/Windows/System32/sysprep/Sysprep_succeeded.tag").exists()
    assert not world.file("C/Windows/Panther/setuperr.log").exists()
    assert "Server=127.0.0.1" in world.text("C/Program Files/ZABBIX Agent/zabbix_agentd.conf")
    scripts = world.file("C/Windows/Setup/Scripts")
    first, now = scripts / "SetupComplete-firstboot.cmd", scripts / "SetupComplete.cmd"
    assert now.read_bytes() == first.read_bytes()
    accounts = Accounts(world.file("C/Windows/System32/config/SAM.json"))
    assert not accounts.has_password("Administrator"), "generalizing took it away"


def test_first_boot_second_boot_and_backup(tmp_path: Path, key: Path) -> None:
    world = generalized_world(tmp_path)
    before = world.chance.getstate()
    world.metadata(key.with_suffix(".pub").read_text(), local_hostname="DEMO1-VM")
    world.put("F/meta-data/extra-hosts/monitor", "10.0.0.9\n")
    assert world.boot() == "power-off"
    log = world.text("C/Windows/Setup/Scripts/wakame-first-boot.log")
    assert "FAILED" not in log and "powering off" in log
    assert "at lock" not in world.log_lines
    password = decrypt_password(world.file("F/meta-data/pw.enc").read_bytes(), key).text
    assert "10.0.0.9 monitor" in world.text("C/Windows/System32/drivers/etc/hosts")
    registry = Registry(world.file("C/Windows/System32/config/HIVES.json"))
    server = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"
    assert registry.get(server, "fDenyTSConnections") == "0"

    def second() -> Person:
        yield from world.sign_in(password)
        yield world.at("desktop")
        yield from world.open_console()
        world.type("hostname\n".strip())
        world.press("enter")
        yield 2.0
        world.type("c:\\windows\\setup\\scripts\\sysprep-for-backup.cmd")
        world.press("enter")
        yield 600.0

    assert world.boot(second()) == "power-off"
    every = world.text("C/Windows/Setup/Scripts/wakame-every-boot.log")
    assert "monitoring agent done" in every
    registry = Registry(world.file("C/Windows/System32/config/HIVES.json"))
    assert registry.get(r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName", "x") is None
    assert world.text("C/Windows/Setup/State/State.ini").endswith("RESEAL_TO_OOBE\n")
    # The next generation begins anew, with another password.
    world.file("F/meta-data/pw.enc").unlink()
    assert world.boot() == "power-off"
    again = decrypt_password(world.file("F/meta-data/pw.enc").read_bytes(), key).text
    assert again != password
    assert world.chance.getstate() != before


def test_the_name_counts_from_the_next_start(tmp_path: Path, key: Path) -> None:
    world = generalized_world(tmp_path)
    world.metadata(key.with_suffix(".pub").read_text(), local_hostname="DEMO1-VM")
    assert world.boot() == "power-off"
    names = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName"

    def active() -> str | None:
        registry = Registry(world.file("C/Windows/System32/config/HIVES.json"))
        return registry.get(f"{names}\\ActiveComputerName", "ComputerName")

    assert str(active()).startswith("WIN-")
    assert world.boot() == "stuck"
    assert active() == "DEMO1-VM"


def test_first_boot_flag_makes_a_new_password(tmp_path: Path, key: Path) -> None:
    world = generalized_world(tmp_path)
    world.metadata(key.with_suffix(".pub").read_text())
    assert world.boot() == "power-off"
    first = world.file("F/meta-data/pw.enc").read_bytes()
    world.put("F/meta-data/first-boot", "")
    assert world.boot() == "power-off", "the task of every boot powers off, too"
    assert world.file("F/meta-data/pw.enc").read_bytes() != first


def test_without_metadata_windows_stays_on(tmp_path: Path) -> None:
    world = generalized_world(tmp_path)
    assert world.boot() == "stuck"
    assert "at lock" in world.log_lines
    log = world.text("C/Windows/Setup/Scripts/wakame-first-boot.log")
    assert "no volume METADATA" in log and "ended with 1" in log


def test_a_bad_key_leaves_no_password(tmp_path: Path) -> None:
    world = generalized_world(tmp_path)
    world.metadata("ssh-ed25519 AAAA nobody")
    assert world.boot() == "power-off", "the other steps are done all the same"
    assert "password FAILED" in world.text("C/Windows/Setup/Scripts/wakame-first-boot.log")
    assert not world.file("F/meta-data/pw.enc").exists()


def test_only_the_chord_leaves_the_lock_screen(tmp_path: Path) -> None:
    world = installed_world(tmp_path)

    def person() -> Person:
        yield world.at("lock")
        yield 2.0
        for keys in (("enter",), ("esc",), ("leftctrl", "delete"), ("leftalt", "delete")):
            world.press(*keys)
        world.click(500, 400)
        yield 5.0
        assert "at password" not in world.log_lines
        world.press("leftctrl", "leftalt", "delete")
        yield world.at("password")

    assert world.boot(person()) == "stuck"
    assert "at password" in world.log_lines


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    world = installed_world(tmp_path)

    def person() -> Person:
        yield from world.sign_in("A:RUN-SYSPREP")
        yield 5.0
        assert "at welcome" not in world.log_lines
        world.type("a:run-sysprep")  # the message is in the way: this is lost
        world.press("esc")
        world.press("enter")
        yield 2.0
        world.type("a:run-sysprep!")
        world.press("backspace")
        world.press("enter")
        yield world.at("desktop")

    assert world.boot(person()) == "stuck"
    assert "at desktop" in world.log_lines


def test_a_wrong_layout_is_a_wrong_password(tmp_path: Path) -> None:
    world = installed_world(tmp_path, tag="ja-JP")

    def person() -> Person:
        world.layout = "us"
        yield world.at("lock")
        yield 2.0
        world.press("leftctrl", "leftalt", "delete")
        yield world.at("password")
        yield 1.0
        world.type("a:run-sysprep", "us")
        world.press("enter")
        yield 10.0

    assert world.boot(person()) == "stuck"
    assert "at welcome" not in world.log_lines


def test_the_console_can_be_behind(tmp_path: Path) -> None:
    world = World(tmp_path, powershell="behind")
    world.install()

    def person() -> Person:
        yield from world.sign_in()
        yield world.at("desktop")
        yield from world.open_console()
        world.type("shutdown /s /t 0")
        world.press("enter")
        yield 10.0
        assert "at shutdown" not in world.log_lines, "another window got the keys"
        world.click(*POWERSHELL_ICON)  # in front now
        yield 1.0
        world.click(*POWERSHELL_ICON)  # put away
        yield 1.0
        world.type("shutdown /s /t 0")
        world.press("enter")
        yield 10.0
        assert "at shutdown" not in world.log_lines
        world.click(*SERVER_MANAGER_ICON)
        world.click(*POWERSHELL_ICON)
        yield 1.0
        world.type("shutdown /s /t 0")
        world.press("enter")
        yield 60.0

    assert world.boot(person()) == "power-off"


def test_typing_while_a_command_runs_and_ctrl_c(tmp_path: Path) -> None:
    world = installed_world(tmp_path)

    def person() -> Person:
        yield from world.sign_in()
        yield world.at("desktop")
        yield from world.open_console()
        world.type("ping -n 1000 127.0.0.1")
        world.press("enter")
        yield 5.0
        world.press("leftctrl", "c")
        yield 1.0
        world.type("ping -n 20 127.0.0.1")
        world.press("enter")
        yield 1.0
        world.type("shutdown /r /t 0")  # comes when the prompt is back
        world.press("enter")
        yield 10.0
        assert "at restart" not in world.log_lines
        yield 60.0

    assert world.boot(person()) == "reboot"


def test_the_installer_can_be_cancelled(tmp_path: Path) -> None:
    world = installed_world(tmp_path)

    def person() -> Person:
        yield from world.sign_in()
        yield world.at("desktop")
        yield from world.open_console()
        world.type("a:run-sysprep")
        world.press("enter")
        yield world.at("agent-1")
        yield 1.0
        for keys in (("space",), ("y",), ("tab",)):
            world.press(*keys)
        yield 5.0
        assert "at agent-2" not in world.log_lines, "only Return leads on"
        world.press("esc")
        yield 30.0

    assert world.boot(person()) == "stuck"
    log = world.text("C/Windows/Setup/Scripts/run-sysprep.log")
    assert "installer ended with an error" in log
    assert "at sysprep" not in world.log_lines


def test_sysprep_refuses_a_bad_answer_file(tmp_path: Path) -> None:
    world = installed_world(tmp_path)
    world.put("A/Unattend-for-first-boot.xml", "<unattend")
    assert world.boot(world.run_sysprep()) == "stuck"
    errors = world.text("C/Windows/System32/sysprep/Panther/setuperr.log")
    assert "cannot be used" in errors
    assert not world.file("C/Windows/Setup/State/State.ini").read_text().endswith("OOBE\n")


def test_used_answer_files_keep_no_secrets(tmp_path: Path) -> None:
    key = "D2N9P-3P6X9-2R39C-7RTCD-MDVJX"
    world = World(tmp_path, powershell="front")
    world.install(key=key)
    assert key in world.text("C/Windows/Panther/unattend.xml")
    world.boot()
    text = world.text("C/Windows/Panther/unattend.xml")
    assert "a:run-sysprep" not in text and key not in text
    assert text.count("*SENSITIVE*DATA*DELETED*") == 2


def test_without_skip_rearm_2008_can_be_generalized_three_times(tmp_path: Path, key: Path) -> None:
    world = installed_world(tmp_path, "2008")
    unattend = world.file("A/Unattend-for-first-boot.xml")
    unattend.write_text(unattend.read_text().replace("<SkipRearm>1<", "<SkipRearm>0<"))
    assert world.boot(world.run_sysprep()) == "power-off"
    world.metadata(key.with_suffix(".pub").read_text())

    def generation(password: str) -> Person:
        yield from world.sign_in(password)
        yield world.at("desktop")
        yield from world.open_console()
        world.type("c:\\windows\\setup\\scripts\\sysprep-for-backup.cmd")
        world.press("enter")
        yield 60.0

    ends = []
    for _ in range(3):
        assert world.boot() == "power-off"
        password = decrypt_password(world.file("F/meta-data/pw.enc").read_bytes(), key).text
        ends.append(world.boot(generation(password)))
    assert ends == ["power-off", "power-off", "stuck"]
    assert "rearm" in world.text("C/Windows/System32/sysprep/Panther/setuperr.log")


def test_commands_of_the_first_logon(tmp_path: Path) -> None:
    world = installed_world(tmp_path)
    file = world.file("C/Windows/Panther/unattend.xml")
    commands = (
        "<FirstLogonCommands><SynchronousCommand><Order>1</Order>"
        "<CommandLine>cmd /c echo once&gt;&gt;C:\\first.txt</CommandLine>"
        "</SynchronousCommand></FirstLogonCommands><OOBE>"
    )
    file.write_text(file.read_text().replace("<OOBE>", commands))

    def person() -> Person:
        yield from world.sign_in()
        yield world.at("desktop")
        yield 5.0

    for _ in range(2):
        assert world.boot(person()) == "stuck"
    assert world.text("C/first.txt") == "once\n"


def test_a_failing_command_stops_setup(tmp_path: Path) -> None:
    world = installed_world(tmp_path)
    world.file("A/wakame-functions.ps1").unlink()

    assert world.boot() == "stuck"
    assert "at oobe" not in world.log_lines
    assert "exited with 3" in world.text("C/Windows/Panther/setuperr.log")
    assert world.boot() == "stuck", "a restart does not help"
    assert "at oobe" not in world.log_lines


def test_no_password_no_oobe(tmp_path: Path) -> None:
    world = installed_world(tmp_path)
    file = world.file("C/Windows/Panther/unattend.xml")
    text = file.read_text().replace("AdministratorPassword", "OtherPassword")
    file.write_text(text)
    assert world.boot() == "stuck"
    assert "at oobe" in world.log_lines and "at lock" not in world.log_lines
