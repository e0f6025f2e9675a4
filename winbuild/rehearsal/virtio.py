"""The files of the stand-in for the virtio-win ISO: its folders, with drivers in name only."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from winbuild.rehearsal.wim import stand_in

TABLE = Path(__file__).with_name("virtio.toml")


def virtio_files() -> tuple[str, dict[str, bytes]]:
    """The volume id, and content by path (with /)."""
    table = tomllib.loads(TABLE.read_text())
    files: dict[str, bytes] = {}
    for system, (extra, version, architectures) in table["systems"].items():
        for architecture in architectures:
            for driver in (*table["sets"]["base"], *table["sets"][extra]):
                _add(files, table, f"{driver}/{system}/{architecture}", driver, version)
    second = table["by_architecture"]
    for system in second["systems"]:
        _, version, architectures = table["systems"][system]
        for architecture in architectures:
            for driver in second["drivers"]:
                folder = f"{second['names'][architecture]}/{system}"
                _add(files, table, folder, driver, version, architecture)
    old = table["legacy"]
    for system, version in old["systems"].items():
        for architecture, name in old["names"].items():
            for driver in old["drivers"]:
                _add(files, table, f"{system}/{name}", driver, version, architecture)
    for name, kib in table["others"].items():
        files[name] = stand_in(name, 1, kib)
    return table["volume_id"], files


def _add(
    files: dict[str, bytes],
    table: dict[str, Any],
    folder: str,
    driver: str,
    version: str,
    architecture: str = "",
) -> None:
    """One driver in `folder`; the architecture is the folder's last part unless given."""
    name, device_class, has_program = table["drivers"][driver]
    architecture = architecture or folder.rpartition("/")[2]
    inf = _inf(name, device_class, version, architecture)
    files[f"{folder}/{name}.inf"] = inf.replace("\n", "\r\n").encode()
    files[f"{folder}/{name}.cat"] = stand_in(f"{folder}/{name}.cat", 1, 8)
    if has_program:
        files[f"{folder}/{name}.sys"] = stand_in(f"{folder}/{name}.sys", 1, 24)


def _inf(name: str, device_class: str, version: str, architecture: str) -> str:
    return f"""; winbuild rehearsal: stands for {name}.inf of virtio-win
[Version]
Signature="$WINDOWS NT$"
Class={device_class}
Provider=%Vendor%
CatalogFile={name}.cat
DriverVer=01/01/2020,100.0.0.0

[Manufacturer]
%Vendor%=Rehearsal,NT{architecture}.{version}

[Rehearsal.NT{architecture}.{version}]

[Strings]
Vendor="winbuild rehearsal"
"""
