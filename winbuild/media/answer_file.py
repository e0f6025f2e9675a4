"""The answer files: what Windows Setup and the first boot after sysprep are told.

`install_answer_file` makes Autounattend.xml, `first_boot_answer_file` the file that sysprep
gets with /unattend. Equal specs give equal bytes. Each setting stands in the pass and
component where Microsoft's unattended reference has it; within a component the order is
alphabetical, as the vendor's own editor writes it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from winbuild.errors import MediaError, UsageError
from winbuild.windows.languages import Language
from winbuild.windows.versions import WindowsVersion

AUTOUNATTEND_NAME = "Autounattend.xml"
FIRST_BOOT_NAME = "Unattend-for-first-boot.xml"

FINAL_STEPS_COMMAND = r"cmd.exe /c A:\FinalStepsForInstall.cmd"

# Two namespaces are in use: elements are in the first, and attributes such as wcm:action in
# the second. The names are written out as they appear in the file, because ElementTree
# cannot serialize a default namespace together with attributes that have none.
_NAMESPACES = {
    "xmlns": "urn:schemas-microsoft-com:unattend",
    "xmlns:wcm": "http://schemas.microsoft.com/WMIConfig/2002/State",
}

# Microsoft's signature on its own components: the same for all of them.
_PUBLIC_KEY_TOKEN = "31bf3856ad364e35"


Tree: TypeAlias = "Mapping[str, str | Tree | list[Tree]]"
"""Elements by name, in order: text, children, or a list that Setup keeps item by item."""

# List items that are told apart by an attribute, where the others have an element for it.
_KEYED_LISTS = {"PathAndCredentials"}


@dataclass(frozen=True)
class DiskPartition:
    """A partition that Setup makes. `size_mib` None: all that is left."""

    kind: str
    size_mib: int | None
    file_system: str | None = None
    label: str | None = None
    active: bool = False


_LAYOUTS = {
    "bios": (
        DiskPartition("Primary", 350, "NTFS", "Boot", active=True),
        DiskPartition("Primary", None, "NTFS", "System"),
    ),
    "uefi": (
        DiskPartition("EFI", 200, "FAT32", "EFI"),
        DiskPartition("MSR", 128),
        DiskPartition("Primary", None, "NTFS", "System"),
    ),
}


@dataclass(frozen=True)
class AnswerFile:
    """What distinguishes one answer file from another.

    `administrator_password` is written as it is: files of it get mode 0600. `product_key` None
    leaves the key out (evaluation media). The image is chosen by `image_name`, or by
    `image_index` (from 1) if that is given; neither: the version's default edition.
    `driver_folders` are folders of the virtio-win medium without drive letter; () for none.
    `specialize_commands` run as SYSTEM and must exit with 0.
    """

    version: WindowsVersion
    language: Language
    administrator_password: str = field(repr=False)
    product_key: str | None = field(default=None, repr=False)
    image_name: str | None = None
    image_index: int | None = None
    architecture: str = "amd64"
    firmware: str = "bios"
    driver_folders: tuple[str, ...] = ()
    driver_letters: str = "DEFG"
    specialize_commands: tuple[str, ...] = (FINAL_STEPS_COMMAND,)
    time_zone: str | None = None
    full_name: str = "winbuild"
    organization: str = "winbuild"

    def __post_init__(self) -> None:
        for what, value, known in (
            ("architecture", self.architecture, self.version.architectures),
            ("firmware", self.firmware, self.version.firmware),
        ):
            if value not in known:
                raise UsageError(
                    f"{self.version.name} does not come for the {what} {value!r}",
                    hint=f"possible: {', '.join(known)}",
                )


def install_answer_file(spec: AnswerFile) -> bytes:
    """Autounattend.xml: a wiped disk 0, the drivers, the image, the scripts, the password."""
    international: Tree = {
        "SetupUILanguage": {"UILanguage": spec.language.tag},
        **_locale(spec.language, layered_driver=spec.language.layered_driver),
    }
    drivers: dict[str, Tree] = {}
    if spec.driver_folders:
        drivers["Microsoft-Windows-PnpCustomizationsWinPE"] = _driver_paths(spec)
    commands: dict[str, Tree] = {}
    if spec.specialize_commands:
        commands["Microsoft-Windows-Deployment"] = _commands(spec)
    return _document(
        spec,
        {
            "windowsPE": {
                "Microsoft-Windows-International-Core-WinPE": international,
                **drivers,
                "Microsoft-Windows-Setup": _setup(spec),
            },
            "specialize": {
                **commands,
                "Microsoft-Windows-Shell-Setup": {"ComputerName": "*"},
            },
            "oobeSystem": _oobe(spec),
        },
    )


def first_boot_answer_file(spec: AnswerFile) -> bytes:
    """The file for `sysprep /unattend:`: an unattended OOBE, and no use of a rearm.

    Of the spec it takes version, architecture, language, time zone and the password, which
    holds until the first-boot script sets a random one.
    """
    return _document(
        spec,
        {
            "generalize": {"Microsoft-Windows-Security-SPP": {"SkipRearm": "1"}},
            "oobeSystem": _oobe(spec),
        },
    )


def _locale(language: Language, *, layered_driver: int = 0) -> Tree:
    tree = {"InputLocale": language.tag}
    if layered_driver:
        tree["LayeredDriver"] = str(layered_driver)
    tree |= {"SystemLocale": language.tag, "UILanguage": language.tag}
    if language.ui_fallback:
        tree["UILanguageFallback"] = language.ui_fallback
    return {**tree, "UserLocale": language.tag}


def _driver_paths(spec: AnswerFile) -> Tree:
    """Every folder on every letter: Setup passes over paths that are not there, and letters
    of CD drives differ from one boot to the next."""
    paths: list[Tree] = [
        {"Path": rf"{letter}:\{folder}"}
        for folder in spec.driver_folders
        for letter in spec.driver_letters
    ]
    return {"DriverPaths": {"PathAndCredentials": paths}}


def _setup(spec: AnswerFile) -> Tree:
    layout = list(enumerate(_LAYOUTS[spec.firmware], start=1))
    disk: Tree = {
        "CreatePartitions": {"CreatePartition": [_creation(n, part) for n, part in layout]},
        "DiskID": "0",
        "ModifyPartitions": {"ModifyPartition": [_modification(n, part) for n, part in layout]},
        "WillWipeDisk": "true",
    }
    key = {"Key": spec.product_key} if spec.product_key else {}
    return {
        "DiskConfiguration": {"Disk": [disk], "WillShowUI": "OnError"},
        "ImageInstall": {
            "OSImage": {
                "InstallFrom": {"MetaData": [_image_choice(spec)]},
                "InstallTo": {"DiskID": "0", "PartitionID": str(len(layout))},
                "WillShowUI": "OnError",
            }
        },
        "UserData": {
            "AcceptEula": "true",
            "FullName": spec.full_name,
            "Organization": spec.organization,
            "ProductKey": {**key, "WillShowUI": "OnError"},
        },
    }


def _creation(number: int, partition: DiskPartition) -> Tree:
    whole_rest = partition.size_mib is None
    size = {"Extend": "true"} if whole_rest else {"Size": str(partition.size_mib)}
    return {"Order": str(number), **size, "Type": partition.kind}


def _modification(number: int, partition: DiskPartition) -> Tree:
    optional = {
        "Active": "true" if partition.active else None,
        "Format": partition.file_system,
        "Label": partition.label,
    }
    given = {name: value for name, value in optional.items() if value}
    return {**given, "Order": str(number), "PartitionID": str(number)}


def _image_choice(spec: AnswerFile) -> Tree:
    if spec.image_index is not None:
        return {"Key": "/IMAGE/INDEX", "Value": str(spec.image_index)}
    return {"Key": "/IMAGE/NAME", "Value": spec.image_name or spec.version.default_image_name}


def _commands(spec: AnswerFile) -> Tree:
    """WillReboot OnRequest makes Setup look at exit codes: 0 goes on, above 2 fails."""
    commands: list[Tree] = [
        {"Order": str(number), "Path": command, "WillReboot": "OnRequest"}
        for number, command in enumerate(spec.specialize_commands, start=1)
    ]
    return {"RunSynchronous": {"RunSynchronousCommand": commands}}


def _oobe(spec: AnswerFile) -> Mapping[str, Tree]:
    location = {"NetworkLocation": "Work"} if spec.version.network_location else {}
    password = {"Value": spec.administrator_password, "PlainText": "true"}
    return {
        "Microsoft-Windows-International-Core": _locale(spec.language),
        "Microsoft-Windows-Shell-Setup": {
            "OOBE": {"HideEULAPage": "true", **location, "ProtectYourPC": "3"},
            "TimeZone": spec.time_zone or spec.language.time_zone,
            "UserAccounts": {"AdministratorPassword": password},
        },
    }


def _document(spec: AnswerFile, passes: Mapping[str, Mapping[str, Tree]]) -> bytes:
    root = ET.Element("unattend", _NAMESPACES)
    for windows_pass, components in passes.items():
        settings = ET.SubElement(root, "settings", {"pass": windows_pass})
        for name, tree in components.items():
            identity = {
                "name": name,
                "processorArchitecture": spec.architecture,
                "publicKeyToken": _PUBLIC_KEY_TOKEN,
                "language": "neutral",
                "versionScope": "nonSxS",
            }
            _grow(ET.SubElement(settings, "component", identity), tree)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _grow(parent: ET.Element, tree: Tree) -> None:
    for name, content in tree.items():
        if isinstance(content, str):
            ET.SubElement(parent, name).text = _checked(name, content)
        elif isinstance(content, Mapping):
            _grow(ET.SubElement(parent, name), content)
        else:
            for number, item in enumerate(content, start=1):
                attributes = {"wcm:action": "add"}
                if name in _KEYED_LISTS:
                    attributes["wcm:keyValue"] = str(number)
                _grow(ET.SubElement(parent, name, attributes), item)


# What XML 1.0 cannot hold, and line ends, which a parser would change.
_NOT_IN_XML = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def _checked(name: str, text: str) -> str:
    if _NOT_IN_XML.search(text):
        raise MediaError(
            f"the answer file's {name} would hold a control character",
            hint="take it out of the setting that the value comes from",
        )
    return text
