"""The Windows versions that winbuild can build: rows of versions.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from winbuild.errors import UsageError

_TABLE = Path(__file__).with_name("versions.toml")

STORAGE_DRIVER = "viostor"
"""The virtio driver without which Setup sees no disk."""

NETWORK_DRIVER = "NetKVM"


@dataclass(frozen=True)
class WindowsVersion:
    """One version of Windows. versions.toml explains the fields and names their sources."""

    label: str
    name: str
    product_id: str
    era: str
    build: int
    image_prefix: str
    default_edition: str
    editions: Mapping[str, str]
    port_digit: int
    architectures: tuple[str, ...]
    firmware: tuple[str, ...]
    min_disk_gib: int
    network_location: bool
    virtio_os_folder: str
    virtio_legacy_folders: tuple[str, ...]

    @property
    def default_architecture(self) -> str:
        return self.architectures[0]

    @property
    def default_image_name(self) -> str:
        """NAME in install.wim, such as `Windows Server 2012 R2 SERVERSTANDARD`."""
        return self.image_name(self.default_edition)

    def image_name(self, edition: str) -> str:
        """The edition's NAME in install.wim; UsageError if this version has no such edition."""
        return f"{self.image_prefix} {self._known_edition(edition)}"

    def kms_key(self, edition: str) -> str | None:
        """The edition's published KMS client setup key; None if Microsoft published none."""
        return self.editions[self._known_edition(edition)] or None

    def current_driver_folders(self, architecture: str) -> tuple[str, ...]:
        r"""Folders on a current virtio-win ISO: `viostor\2k12R2\amd64` …, storage first."""
        return tuple(
            rf"{driver}\{self.virtio_os_folder}\{architecture}"
            for driver in (STORAGE_DRIVER, NETWORK_DRIVER)
        )

    def driver_folders(self, architecture: str) -> tuple[str, ...]:
        """Every folder that can hold this version's drivers, in order of preference."""
        return self.current_driver_folders(architecture) + self.virtio_legacy_folders

    def _known_edition(self, edition: str) -> str:
        wanted = edition.upper()
        if wanted in self.editions:
            return wanted
        raise UsageError(
            f"{self.name} has no edition {edition!r}",
            hint=f"its editions are {', '.join(self.editions)}",
        )


def _from_row(label: str, row: Mapping[str, Any]) -> WindowsVersion:
    virtio = row["virtio"]
    fields = {key: value for key, value in row.items() if key != "virtio"}
    fields["architectures"] = tuple(row["architectures"])
    fields["firmware"] = tuple(row["firmware"])
    return WindowsVersion(
        label=label,
        virtio_os_folder=virtio["os_folder"],
        virtio_legacy_folders=tuple(virtio["legacy_folders"]),
        **fields,
    )


@cache
def _versions() -> Mapping[str, WindowsVersion]:
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {label: _from_row(label, row) for label, row in table.items()}


def labels() -> tuple[str, ...]:
    """The labels that `0-init` takes, in the order of the catalogue."""
    return tuple(_versions())


def version(label: str) -> WindowsVersion:
    """The version of that label; UsageError, listing the known ones, if there is none."""
    try:
        return _versions()[label]
    except KeyError:
        known = ", ".join(labels())
        raise UsageError(
            f"there is no Windows version labelled {label!r}", hint=f"the labels are {known}"
        ) from None
