"""Writes ISO images with the file systems that Windows media and the virtio-win CD have.

Imports pycdlib, so nothing that starts quickly may import this module.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pycdlib

from winbuild.errors import MediaError

Content = bytes | Path
PUBLISHER = "WINBUILD REHEARSAL"
JOLIET_ID_CHARS = 16
PADDING_BYTES = 150 * 2048  # as much as mkisofs takes


@dataclass(frozen=True)
class BootFile:
    """An El Torito boot file without emulation; the BIOS loads its first `load_sectors` × 512
    bytes. It gets a boot information table at offset 8."""

    name: str
    content: bytes
    load_sectors: int = 4


@dataclass(frozen=True)
class _Layers:
    """Which names a file gets besides its ISO 9660 one."""

    joliet: bool
    rock_ridge: bool
    udf: bool

    def names(self, path: str) -> dict[str, str]:
        found = {}
        if self.joliet:
            found["joliet_path"] = f"/{path}"
        if self.rock_ridge:
            found["rr_name"] = path.rpartition("/")[2]
        if self.udf:
            found["udf_path"] = f"/{path}"
        return found


# Windows media: UDF beside plain ISO 9660. virtio-win: Rock Ridge and Joliet.
WINDOWS_LAYERS = _Layers(joliet=False, rock_ridge=False, udf=True)
LINUX_LAYERS = _Layers(joliet=True, rock_ridge=True, udf=False)


def write_iso(
    dest: Path,
    volume_id: str,
    files: Mapping[str, Content],
    *,
    boot: BootFile | None = None,
    layers: _Layers = WINDOWS_LAYERS,
) -> None:
    """Write `dest` with `files`: path inside the ISO (with /) → bytes, or the file to copy.

    Raises MediaError if pycdlib refuses a name or cannot write.
    """
    with ExitStack() as stack:
        try:
            iso = _new(volume_id, layers)
            stack.callback(iso.close)
            _add(iso, stack, {**files, **({boot.name: boot.content} if boot else {})}, layers, boot)
            iso.write(str(dest))
            # Boot loaders read ahead in large units, and a BIOS refuses a read that goes beyond
            # the end of the medium: so there has to be something behind the last file.
            with dest.open("ab") as stream:
                stream.truncate(stream.tell() + PADDING_BYTES)
        except pycdlib.pycdlibexception.PyCdlibException as exc:
            raise MediaError(f"the ISO {dest.name} cannot be written: {exc}") from exc


def _new(volume_id: str, layers: _Layers) -> Any:
    iso = pycdlib.PyCdlib()
    iso.new(
        interchange_level=3,
        joliet=3 if layers.joliet else None,
        rock_ridge="1.09" if layers.rock_ridge else None,
        udf="2.60" if layers.udf else None,
        vol_ident=volume_id[:JOLIET_ID_CHARS] if layers.joliet else volume_id,
        pub_ident_str=PUBLISHER,
    )
    if layers.joliet:  # only the Joliet descriptor is short of room for the name
        iso.pvd.volume_identifier = volume_id.encode().ljust(32)
    return iso


def _add(
    iso: Any,
    stack: ExitStack,
    files: Mapping[str, Content],
    layers: _Layers,
    boot: BootFile | None,
) -> None:
    names = _Names()
    for folder in _folders(files):
        iso.add_directory(names.iso(folder), **layers.names(folder))
    for name in sorted(files, key=str.casefold):
        stream, length = _open(files[name])
        stack.callback(stream.close)
        iso.add_fp(stream, length, names.iso(name, is_file=True), **layers.names(name))
    if boot:
        iso.add_eltorito(
            names.iso(boot.name, is_file=True),
            bootcatfile="/BOOT.CAT;1",
            udf_bootcatfile="/boot.cat" if layers.udf else None,
            boot_load_size=boot.load_sectors,
            boot_info_table=True,
        )


def _open(content: Content) -> tuple[BinaryIO, int]:
    if isinstance(content, bytes):
        return io.BytesIO(content), len(content)
    return content.open("rb"), content.stat().st_size


def _folders(names: Mapping[str, Content]) -> list[str]:
    """Every folder that the files need, parents first."""
    found = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return sorted(found - {"."})


class _Names:
    """ISO 9660 names (capitals, digits, underscores, 30 characters) for real ones, each once."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {"": ""}
        self._taken: set[str] = set()

    def iso(self, name: str, *, is_file: bool = False) -> str:
        if name not in self._given:
            folder, _, last = name.rpartition("/")
            self._given[name] = self._unused(self.iso(folder), last, is_file)
        return self._given[name]

    def _unused(self, folder: str, last: str, is_file: bool) -> str:
        plain = re.sub(r"[^A-Z0-9_.]", "_", last.upper())
        stem, _, suffix = plain.rpartition(".") if is_file and "." in plain else (plain, "", "")
        stem = stem.replace(".", "_")[:20]
        tail = (f".{suffix[:8]}" if suffix else ".") + ";1" if is_file else ""
        number = 0
        while True:
            tried = f"{folder}/{stem}{f'_{number}' if number else ''}{tail}"
            if tried not in self._taken:
                self._taken.add(tried)
                return tried
            number += 1
