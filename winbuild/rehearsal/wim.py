"""Makes the rehearsal's install.wim with wimlib: the images of a medium, with their metadata."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from winbuild.errors import UsageError
from winbuild.host import Host

HERE = Path(__file__).parent
WIM_TIMEOUT_S = 120.0
ARCHITECTURES = {"x86": 0, "amd64": 9}  # winnt.h: PROCESSOR_ARCHITECTURE_…


@dataclass(frozen=True)
class Image:
    """One image of install.wim."""

    name: str
    display_name: str
    edition: str
    installation_type: str


@dataclass(frozen=True)
class Label:
    """A row of labels.toml."""

    label: str
    prefix: str
    version: tuple[int, int, int, int]
    service_pack: int
    architecture: str
    volume_id_pattern: str
    files_date: date
    images: tuple[Image, ...]

    def volume_id(self, language: str) -> str:
        tag = language.upper()
        return self.volume_id_pattern.format(language=tag, short=tag.partition("-")[0])


@cache
def _labels() -> Mapping[str, Any]:
    return tomllib.loads((HERE / "labels.toml").read_text())


def label_named(label: str) -> Label:
    """The facts of a label. Raises UsageError for one that has no stand-in."""
    row = _labels().get(label)
    if row is None:
        raise UsageError(
            f"there are no rehearsal media for {label!r}",
            hint=f"there are for: {', '.join(_labels())}",
        )
    prefix = row["prefix"]
    major, minor, build, revision = row["version"]
    images = tuple(
        Image(f"{prefix} {name}", f"{prefix} {shown}", edition, kind)
        for name, shown, edition, kind in row["images"]
    )
    return Label(
        label,
        prefix,
        (major, minor, build, revision),
        row["service_pack"],
        row["architecture"],
        row["volume_id"],
        row["files_date"],
        images,
    )


def make_install_wim(host: Host, label: Label, language: str, work: Path) -> Path:
    """Write `work`/install.wim; `work` is an empty directory."""
    tree, wim = work / "tree", work / "install.wim"
    plant_tree(tree, label.files_date)
    for number, image in enumerate(label.images):
        how = ("append",) if number else ("capture", "--compress=LZX")
        names = (tree, wim, image.name, image.name)
        properties = _properties(label, image, language)
        argv = ["wimlib-imagex", *how, "--no-acls", *names, *properties]
        host.run(argv, timeout_s=WIM_TIMEOUT_S)
    return wim


def plant_tree(root: Path, day: date) -> None:
    """The files of windows_tree.toml, always the same, last changed at noon of `day`."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    table = tomllib.loads((HERE / "windows_tree.toml").read_text())
    for name, (text_kib, dense_kib) in table["files"].items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(stand_in(name, text_kib, dense_kib))
        os.utime(file, (noon, noon))


def stand_in(name: str, text_kib: int, dense_kib: int) -> bytes:
    """Content of a stand-in file: some text, then bytes that do not compress."""
    line = f"winbuild rehearsal: this stands for {name}\r\n".encode()
    text = line * (text_kib * 1024 // len(line) + 1)
    head = b"MZ" if name.endswith((".exe", ".dll", ".sys")) else b""
    return head + text + hashlib.shake_128(name.encode()).digest(dense_kib * 1024)


def _properties(label: Label, image: Image, language: str) -> Sequence[str]:
    major, minor, build, revision = label.version
    values = {
        "DISPLAYNAME": image.display_name,
        "DISPLAYDESCRIPTION": f"{image.display_name} (winbuild rehearsal)",
        "FLAGS": image.edition + ("Core" if image.installation_type == "Server Core" else ""),
        "WINDOWS/ARCH": ARCHITECTURES[label.architecture],
        "WINDOWS/PRODUCTNAME": "Microsoft® Windows® Operating System",
        "WINDOWS/EDITIONID": image.edition,
        "WINDOWS/INSTALLATIONTYPE": image.installation_type,
        "WINDOWS/PRODUCTTYPE": "ServerNT",
        "WINDOWS/PRODUCTSUITE": "Terminal Server",
        "WINDOWS/LANGUAGES/LANGUAGE": language,
        "WINDOWS/LANGUAGES/DEFAULT": language,
        "WINDOWS/VERSION/MAJOR": major,
        "WINDOWS/VERSION/MINOR": minor,
        "WINDOWS/VERSION/BUILD": build,
        "WINDOWS/VERSION/SPBUILD": revision,
        "WINDOWS/VERSION/SPLEVEL": label.service_pack,
        "WINDOWS/SYSTEMROOT": "WINDOWS",
    }
    return [f"--image-property={key}={value}" for key, value in values.items()]
