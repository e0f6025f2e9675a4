"""What the guest reads and keeps: answer files, drives, registry, accounts."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from winbuild.rehearsal.guest.answers import AnswerFileError, Command, read_answers
from winbuild.rehearsal.guest.drives import Drives
from winbuild.rehearsal.guest.hive import Accounts, Registry

HEAD = '<unattend xmlns="urn:schemas-microsoft-com:unattend">'


def answers_of(tmp_path: Path, body: str) -> Path:
    file = tmp_path / "unattend.xml"
    file.write_text(f"{HEAD}{body}</unattend>")
    return file


def test_commands_come_in_the_order_of_their_order(tmp_path: Path) -> None:
    command = "<RunSynchronousCommand><Order>{}</Order><Path>{}</Path>{}</RunSynchronousCommand>"
    commands = command.format(10, "b", "<WillReboot>OnRequest</WillReboot>")
    commands += command.format(2, "a", "")
    file = answers_of(
        tmp_path, f'<settings pass="specialize"><component>{commands}</component></settings>'
    )
    assert read_answers(file).specialize_commands == (Command("a"), Command("b", "OnRequest"))


@pytest.mark.parametrize(
    ("value", "plain", "password"),
    [
        ("a:run-sysprep", "<PlainText>true</PlainText>", "a:run-sysprep"),
        (
            base64.b64encode("geheimAdministratorPassword".encode("utf-16-le")).decode(),
            "<PlainText>false</PlainText>",
            "geheim",
        ),
        (" two blanks ", "", " two blanks "),
    ],
)
def test_both_forms_of_the_password(tmp_path: Path, value: str, plain: str, password: str) -> None:
    body = f"<AdministratorPassword><Value>{value}</Value>{plain}</AdministratorPassword>"
    file = answers_of(
        tmp_path, f'<settings pass="oobeSystem"><component>{body}</component></settings>'
    )
    assert read_answers(file).administrator_password == password


@pytest.mark.parametrize("locale", ["0411:00000411", "ja-JP", "0411:E0010411;0409:00000409"])
def test_input_locale(tmp_path: Path, locale: str) -> None:
    body = f'<settings pass="oobeSystem"><c><InputLocale>{locale}</InputLocale></c></settings>'
    assert read_answers(answers_of(tmp_path, body)).keyboard == "jp106"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<unattend", "unclosed token"),
        ("<unattend/>", "root element"),
        (f'{HEAD}<settings pass="oobe"/></unattend>', r"no pass \[oobe\]"),
        (
            f'{HEAD}<settings pass="specialize"><RunSynchronousCommand/></settings></unattend>',
            "Order",
        ),
    ],
)
def test_what_windows_could_not_use(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "unattend.xml"
    file.write_text(text)
    with pytest.raises(AnswerFileError, match=fault):
        read_answers(file)


def test_paths_of_windows(tmp_path: Path) -> None:
    (tmp_path / "Windows/System32").mkdir(parents=True)
    drives = Drives(lambda: {"C": tmp_path})
    assert drives.absolute("..\\Temp\\.\\x", "C:\\Windows\\System32") == "C:\\Windows\\Temp\\x"
    assert drives.absolute("a:run.cmd", "C:\\Windows") == "A:\\run.cmd"
    assert drives.absolute("/x", "C:\\Windows") == "C:\\x"
    assert drives.path("c:\\WINDOWS\\system32\\New.txt") == tmp_path / "Windows/System32/New.txt"
    assert drives.path("Q:\\x") is None
    assert drives.existing("C:\\windows\\none") is None


def test_registry_names_in_any_case(tmp_path: Path) -> None:
    file = tmp_path / "hive.json"
    registry = Registry(file)
    registry.add("HKLM\\Software\\One", "Value", "REG_SZ", "1")
    registry.add("hklm\\SOFTWARE\\one", "VALUE", "REG_SZ", "2")
    registry.add("HKLM\\Software\\One\\Below")
    assert Registry(file).values("HKEY_LOCAL_MACHINE\\software\\ONE") == {"Value": ["REG_SZ", "2"]}
    assert registry.delete("HKLM\\software\\one")
    assert json.loads(file.read_text()) == {}, "what is below goes too"
    assert not registry.delete("HKLM\\software\\one")


def test_passwords_are_kept_as_hashes(tmp_path: Path) -> None:
    file = tmp_path / "sam.json"
    accounts = Accounts(file)
    accounts.set_password("Administrator", "pässword")
    stored = json.loads(file.read_text())["Administrator"]
    salt, rounds = base64.b64decode(stored["salt"]), stored["rounds"]
    wanted = hashlib.pbkdf2_hmac("sha256", "pässword".encode(), salt, rounds)
    assert base64.b64decode(stored["hash"]) == wanted
    assert Accounts(file).accepts("administrator", "pässword")
    assert not accounts.accepts("Administrator", "password")
    accounts.remove_password("Administrator")
    assert not accounts.accepts("Administrator", "")
    assert accounts.exists("Administrator") and not accounts.has_password("Administrator")
