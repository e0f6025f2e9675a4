"""Which folders of a virtio-win ISO hold the drivers for a version of Windows.

Imports pycdlib when a medium is read, not before.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from winbuild.errors import MediaError
from winbuild.media.iso import check_iso
from winbuild.windows.versions import STORAGE_DRIVER, WindowsVersion

if TYPE_CHECKING:
    from pycdlib import PyCdlib

_STORAGE_INF = f"{STORAGE_DRIVER}.inf"


@dataclass(frozen=True)
class DriverFolders:
    r"""Folders for the answer file, without drive letter, such as `viostor\2k12R2\amd64`.

    `layout` is "current" or "legacy" (the ISOs of 2014); `volume_id` names the medium.
    """

    folders: tuple[str, ...]
    layout: str
    volume_id: str


def find_drivers(iso: Path, version: WindowsVersion, architecture: str) -> DriverFolders:
    """The folders that exist on the ISO, those of the current layout preferred.

    Raises MediaError if the file is no ISO or has no storage driver (.inf) for the version;
    the hint lists what it has.
    """
    info = check_iso(iso)
    tree = read_tree(iso)
    layouts = {
        "current": version.current_driver_folders(architecture),
        "legacy": version.virtio_legacy_folders,
    }
    for layout, folders in layouts.items():
        found = tuple(folder for folder in folders if _path(folder) in tree)
        if any(_STORAGE_INF in tree[_path(folder)] for folder in found):
            return DriverFolders(found, layout, info.volume_id)
    raise _no_driver(iso, version, architecture, tree)


def _no_driver(
    iso: Path, version: WindowsVersion, architecture: str, tree: dict[str, set[str]]
) -> MediaError:
    present = sorted(path for path, names in tree.items() if _STORAGE_INF in names)
    wanted = version.driver_folders(architecture)[0]
    listed = ", ".join(path.replace("/", "\\") for path in present)
    return MediaError(
        f"{iso} has no storage driver for {version.name} ({architecture}): no {_STORAGE_INF} "
        f"in {wanted} or the older places",
        hint=(
            f"it has {_STORAGE_INF} in: {listed}"
            if listed
            else "this is no virtio-win ISO: give the virtio-win ISO with the VM's drivers"
        ),
    )


def _path(folder: str) -> str:
    return folder.replace("\\", "/").lower()


def read_tree(iso: Path) -> dict[str, set[str]]:
    """Every folder of the ISO with the names of its files: lower case, `a/b/c`, root `""`.

    Of the name spaces on the medium the one with the fullest names is read.
    """
    import pycdlib
    from pycdlib.pycdlibexception import PyCdlibException

    image = pycdlib.PyCdlib()
    try:
        with iso.open("rb") as stream:
            image.open_fp(stream)
            return _walked(image)
    # Of damaged structures pycdlib notices many, and stumbles over others.
    except (PyCdlibException, OSError, struct.error, LookupError, ValueError) as exc:
        raise MediaError(
            f"{iso} cannot be read as an ISO: {exc}", hint="download it again"
        ) from exc


def _walked(image: PyCdlib) -> dict[str, set[str]]:
    if image.has_udf():
        name_space = "udf_path"
    elif image.has_joliet():
        name_space = "joliet_path"
    elif image.has_rock_ridge():
        name_space = "rr_path"
    else:
        name_space = "iso_path"
    tree: dict[str, set[str]] = {}
    for folder, _, files in image.walk(**{name_space: "/"}):
        tree[folder.strip("/").lower()] = {_plain(name) for name in files}
    return tree


def _plain(name: str) -> str:
    """`VIOSTOR.INF;1`, as plain ISO 9660 has it, is `viostor.inf`."""
    return name.split(";")[0].rstrip(".").lower()
