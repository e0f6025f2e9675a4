"""Reads Autounattend.xml as strictly as Windows Setup does.

Every pass, component and setting has to be one that `unattend.toml` knows; what Setup itself
uses (the pass windowsPE) is read out and checked. A component for another processor
architecture is passed over, as Windows does.
"""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = "urn:schemas-microsoft-com:unattend"
IDENTITY = {"publicKeyToken": "31bf3856ad364e35", "language": "neutral", "versionScope": "nonSxS"}
PARTITION_TYPES = {"Primary", "EFI", "Extended", "Logical", "MSR"}
FORMATS = {"NTFS", "FAT32"}
NOT_ACTED_ON = ("RunAsynchronous", "RunSynchronous", "UpgradeData", "UseConfigurationSet")
WINPE = "windowsPE"
SETUP = "Microsoft-Windows-Setup"


class UnattendError(Exception):
    """Setup cannot use the answer file.

    `pass_name` and `component` are empty when the file as a whole cannot be read.
    """

    def __init__(self, detail: str, pass_name: str = "", component: str = "") -> None:
        super().__init__(detail)
        self.detail, self.pass_name, self.component = detail, pass_name, component


@dataclass(frozen=True)
class NewPartition:
    """An element of CreatePartitions. `size_mib` None: whatever is left (Extend)."""

    kind: str
    size_mib: int | None


@dataclass(frozen=True)
class PartitionChange:
    """An element of ModifyPartitions; `number` counts the partitions of the disk from 1."""

    number: int
    file_system: str | None = None
    label: str = ""
    active: bool = False


@dataclass(frozen=True)
class DiskPlan:
    """What is to become of one disk (counted from 0)."""

    disk: int
    wipe: bool
    create: tuple[NewPartition, ...]
    change: tuple[PartitionChange, ...]


@dataclass(frozen=True)
class Unattend:
    """What the answer file tells Setup. `image` is (property, value), such as ("NAME", "…").

    `unused` names settings that Windows would act on here and this Setup does not.
    """

    ui_language: str | None
    driver_paths: tuple[str, ...]
    disks: tuple[DiskPlan, ...]
    image: tuple[str, str] | None
    install_to: tuple[int, int] | None
    accept_eula: bool
    product_key: str | None
    unused: tuple[str, ...]


def read_unattend(file: Path, architecture: str) -> Unattend:
    """Parse and check. Raises UnattendError."""
    try:
        root = ET.fromstring(file.read_bytes())
    except (OSError, ET.ParseError) as exc:
        raise UnattendError(str(exc)) from exc
    if root.tag != f"{{{NAMESPACE}}}unattend":
        raise UnattendError(f"the root element is {root.tag}")
    components = _components(root, architecture)
    international = components.get((WINPE, "Microsoft-Windows-International-Core-WinPE"))
    drivers = components.get((WINPE, "Microsoft-Windows-PnpCustomizationsWinPE"))
    setup = components.get((WINPE, SETUP))
    language = _child(international, "SetupUILanguage")
    return Unattend(
        ui_language=_text(language, "UILanguage") or _text(international, "UILanguage"),
        driver_paths=tuple(
            path
            for entry in _items(_child(drivers, "DriverPaths"), "PathAndCredentials")
            if (path := _text(entry, "Path"))
        ),
        disks=tuple(_disk(disk) for disk in _items(_child(setup, "DiskConfiguration"), "Disk")),
        image=_image(setup),
        install_to=_install_to(setup),
        accept_eula=_flag(_child(setup, "UserData"), "AcceptEula"),
        product_key=_text(_child(_child(setup, "UserData"), "ProductKey"), "Key"),
        unused=tuple(name for name in NOT_ACTED_ON if _child(setup, name) is not None),
    )


def _components(root: ET.Element, architecture: str) -> dict[tuple[str, str], ET.Element]:
    known = tomllib.loads(Path(__file__).with_name("unattend.toml").read_text())
    found: dict[tuple[str, str], ET.Element] = {}
    for settings in root:
        # Other name spaces are notes of the tools that write answer files.
        if _name(settings).startswith("?") or _name(settings) == "servicing":
            continue
        if _name(settings) != "settings":
            raise UnattendError(f"unknown element {_name(settings)}")
        pass_name = settings.get("pass", "")
        if pass_name not in known:
            raise UnattendError(f"unknown pass {pass_name!r}", pass_name)
        for component in settings:
            name = component.get("name", _name(component))
            if name not in known[pass_name]:
                raise UnattendError("unknown component", pass_name, name)
            _check_identity(component, pass_name, name)
            if component.get("processorArchitecture") != architecture:
                continue
            if (pass_name, name) in found:
                raise UnattendError("the component is there twice", pass_name, name)
            for setting in component:
                if _name(setting) not in known[pass_name][name]:
                    unknown = f"unknown setting {_name(setting)}"
                    raise UnattendError(unknown, pass_name, name)
            found[pass_name, name] = component
    return found


def _check_identity(component: ET.Element, pass_name: str, name: str) -> None:
    if _name(component) != "component":
        raise UnattendError(f"unknown element {_name(component)}", pass_name, name)
    for attribute, wanted in IDENTITY.items():
        if component.get(attribute) != wanted:
            raise UnattendError(f"{attribute} has to be {wanted}", pass_name, name)


def _disk(element: ET.Element) -> DiskPlan:
    creations = _in_order(_items(_child(element, "CreatePartitions"), "CreatePartition"))
    changes = _in_order(_items(_child(element, "ModifyPartitions"), "ModifyPartition"))
    create = []
    for creation in creations:
        kind = _text(creation, "Type")
        if kind not in PARTITION_TYPES:
            raise _fault(f"partition type {kind!r}")
        rest = _flag(creation, "Extend")
        if rest == (_text(creation, "Size") is not None):
            raise _fault("a partition needs either Size or Extend")
        create.append(NewPartition(kind, None if rest else _number(creation, "Size")))
    change = []
    for entry in changes:
        file_system = _text(entry, "Format")
        if file_system is not None and file_system not in FORMATS:
            raise _fault(f"file system {file_system!r}")
        number, label = _number(entry, "PartitionID"), _text(entry, "Label") or ""
        change.append(PartitionChange(number, file_system, label, _flag(entry, "Active")))
    wipe = _flag(element, "WillWipeDisk")
    return DiskPlan(_number(element, "DiskID"), wipe, tuple(create), tuple(change))


def _in_order(elements: Iterator[ET.Element]) -> list[ET.Element]:
    """By their Order, which has to be 1, 2, 3 …"""
    ordered = sorted(((_number(element, "Order"), element) for element in elements), key=_first)
    if [number for number, _ in ordered] != list(range(1, len(ordered) + 1)):
        raise _fault("Order has to count 1, 2, 3 and so on")
    return [element for _, element in ordered]


def _first(pair: tuple[int, ET.Element]) -> int:
    return pair[0]


def _image(setup: ET.Element | None) -> tuple[str, str] | None:
    source = _child(_child(_child(setup, "ImageInstall"), "OSImage"), "InstallFrom")
    chosen = next(_items(source, "MetaData"), None)
    if chosen is None:
        return None
    key, value = _text(chosen, "Key") or "", _text(chosen, "Value")
    match = re.fullmatch(r"/IMAGE/(NAME|INDEX|DESCRIPTION|DISPLAYNAME)", key, re.IGNORECASE)
    if match is None or value is None:
        raise _fault(f"InstallFrom: {key!r} with the value {value!r}")
    return match[1].upper(), value


def _install_to(setup: ET.Element | None) -> tuple[int, int] | None:
    target = _child(_child(_child(setup, "ImageInstall"), "OSImage"), "InstallTo")
    if target is None:
        return None
    return _number(target, "DiskID"), _number(target, "PartitionID")


def _fault(detail: str) -> UnattendError:
    return UnattendError(detail, WINPE, SETUP)


def _name(element: ET.Element) -> str:
    """The element's name; one that is not in the answer file's name space gets a mark."""
    space, _, name = element.tag.rpartition("}")
    return name if space == f"{{{NAMESPACE}" else f"?{element.tag}"


def _child(element: ET.Element | None, name: str) -> ET.Element | None:
    return None if element is None else element.find(f"{{{NAMESPACE}}}{name}")


def _items(element: ET.Element | None, name: str) -> Iterator[ET.Element]:
    if element is not None:
        yield from element.findall(f"{{{NAMESPACE}}}{name}")


def _text(element: ET.Element | None, name: str) -> str | None:
    found = _child(element, name)
    return None if found is None else (found.text or "").strip() or None


def _flag(element: ET.Element | None, name: str) -> bool:
    value = _text(element, name)
    if value is None or value.lower() in ("false", "0"):
        return False
    if value.lower() in ("true", "1"):
        return True
    raise _fault(f"{name} has to be true or false, not {value!r}")


def _number(element: ET.Element, name: str) -> int:
    value = _text(element, name)
    if value is None or not re.fullmatch(r"\d{1,9}", value):
        raise _fault(f"{name} has to be a number, not {value!r}")
    return int(value)
