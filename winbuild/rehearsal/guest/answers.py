"""What an answer file says to Windows after Setup: the passes specialize and oobeSystem.

Setup has parsed the file strictly before; the file given to sysprep has not been read by
anybody, so this module raises `AnswerFileError` for what Windows could not use.
"""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = "{urn:schemas-microsoft-com:unattend}"
PASSES = {
    "windowsPE",
    "offlineServicing",
    "generalize",
    "specialize",
    "auditSystem",
    "auditUser",
    "oobeSystem",
}
DELETED = "*SENSITIVE*DATA*DELETED*"
# The language part of an input locale such as "0411:00000411" → keyboard table.
KEYBOARDS = {"0411": "jp106", "0407": "de", "0409": "us"}
KEYBOARDS_BY_NAME = {"ja": "jp106", "de": "de", "en": "us"}


class AnswerFileError(ValueError):
    """The answer file cannot be used; the text names the pass and the component."""


@dataclass(frozen=True)
class Command:
    """A command of the specialize pass; `will_reboot` is "Never", "Always" or "OnRequest"."""

    line: str
    will_reboot: str = "Never"


@dataclass(frozen=True)
class Answers:
    """What was found; None or empty where the file is silent."""

    specialize_commands: tuple[Command, ...] = ()
    first_logon_commands: tuple[Command, ...] = ()
    administrator_password: str | None = None
    computer_name: str | None = None
    input_locale: str | None = None
    skip_rearm: bool = False

    @property
    def keyboard(self) -> str | None:
        """Name of the keyboard table that the input locale asks for."""
        if not self.input_locale:
            return None
        first = self.input_locale.split(";")[0].strip().lower()
        return KEYBOARDS.get(first[:4]) or KEYBOARDS_BY_NAME.get(first[:2])


def read_answers(file: Path) -> Answers:
    """Parse an answer file. Raises AnswerFileError."""
    try:
        root = ET.parse(file).getroot()
    except (OSError, ET.ParseError) as exc:
        raise AnswerFileError(f"{file.name}: {exc}") from exc
    if root.tag != f"{NAMESPACE}unattend":
        raise AnswerFileError(f"{file.name}: the root element is {root.tag}, not unattend")
    settings = root.findall(f"{NAMESPACE}settings")
    passes = [element.get("pass", "") for element in settings]
    unknown = [name for name in passes if name not in PASSES]
    if unknown:
        raise AnswerFileError(f"{file.name}: there is no pass [{unknown[0]}]")
    by_pass = dict(zip(passes, settings, strict=True))
    specialize, oobe = by_pass.get("specialize"), by_pass.get("oobeSystem")
    generalize = by_pass.get("generalize")
    return Answers(
        specialize_commands=_commands(specialize, "RunSynchronousCommand", "Path"),
        first_logon_commands=_commands(oobe, "SynchronousCommand", "CommandLine"),
        administrator_password=_password(oobe),
        computer_name=_text(specialize, "ComputerName"),
        input_locale=_text(oobe, "InputLocale") or _text(specialize, "InputLocale"),
        skip_rearm=_text(generalize, "SkipRearm") in ("1", "true"),
    )


def hide_secrets(file: Path) -> None:
    """Take passwords and the product key out of a file that has been used.

    Windows does so with the passwords of the answer files that it keeps; logs are taken from
    the same folder, so the key goes too.
    """
    text = file.read_text(encoding="utf-8")
    for around in (r"(<\w*Password>\s*<Value>)[^<]*", r"(<ProductKey>\s*<Key>)[^<]*"):
        text = re.sub(around, rf"\g<1>{DELETED}", text)
    file.write_text(text, encoding="utf-8")


def _text(settings: ET.Element | None, name: str) -> str | None:
    if settings is None:
        return None
    element = settings.find(f".//{NAMESPACE}{name}")
    return None if element is None else (element.text or "").strip() or None


def _commands(settings: ET.Element | None, name: str, line_name: str) -> tuple[Command, ...]:
    """Commands in the order of their Order."""
    if settings is None:
        return ()
    found: list[tuple[int, Command]] = []
    for element in settings.iter(f"{NAMESPACE}{name}"):
        order, line = _text(element, "Order"), _text(element, line_name)
        if order is None or line is None or not re.fullmatch(r"\d+", order):
            raise AnswerFileError(f"{name} needs an Order (a number) and a {line_name}")
        found.append((int(order), Command(line, _text(element, "WillReboot") or "Never")))
    return tuple(command for _, command in sorted(found, key=lambda pair: pair[0]))


def _password(settings: ET.Element | None) -> str | None:
    element = None if settings is None else settings.find(f".//{NAMESPACE}AdministratorPassword")
    if element is None:
        return None
    value = element.find(f"{NAMESPACE}Value")
    text = "" if value is None else value.text or ""
    if (_text(element, "PlainText") or "true").lower() in ("true", "1"):
        return text
    # Hidden form: base64 of UTF-16 (little endian), with the element's name put behind.
    try:
        hidden = base64.b64decode(text, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise AnswerFileError(f"AdministratorPassword: {exc}") from exc
    return hidden.removesuffix("AdministratorPassword")
