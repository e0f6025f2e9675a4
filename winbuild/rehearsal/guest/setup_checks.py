"""What Setup looks for and insists on before it touches the disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .drives import Drives
from .wim import WimImage, choose

ANSWER_FILE = "autounattend.xml"
# 25 of these characters; N came with the keys of Windows 8.
PRODUCT_KEY = re.compile(r"([BCDFGHJKMNPQRTVWXY2346789]{5}-){4}[BCDFGHJKMNPQRTVWXY2346789]{5}")


class SetupFailure(Exception):
    """Setup cannot go on: it shows the text `key` of texts.toml, filled in with `values`.

    `reason` is for the logs only.
    """

    def __init__(self, key: str, reason: str, **values: object) -> None:
        super().__init__(reason)
        self.key, self.values = key, values


def find_answer_file(media: Mapping[str, Path]) -> tuple[str, Path] | None:
    """The answer file in the root of a removable medium and its drive letter.

    `media` maps letters to mount points; they are searched in the order of their letters, so
    that the floppy comes first.
    """
    for letter in sorted(media):
        for entry in sorted(media[letter].iterdir()):
            if entry.name.casefold() == ANSWER_FILE and entry.is_file():
                return letter, entry
    return None


def find_driver(drives: Drives, folders: Iterable[str], driver: str, arch: str) -> Path | None:
    """The driver's .inf in one of the folders (Windows paths) or below.

    It has to be for the architecture and to have its .sys beside it. A folder that does not
    exist is passed over.
    """
    for folder in folders:
        place = drives.existing(folder)
        if place is None or not place.is_dir():
            continue
        for inf in sorted(place.rglob("*")):
            if inf.name.casefold() == f"{driver}.inf" and _usable(inf, driver, arch):
                return inf
    return None


def _usable(inf: Path, driver: str, arch: str) -> bool:
    text = decoded(inf.read_bytes()).casefold()
    siblings = {path.name.casefold() for path in inf.parent.iterdir()}
    return f"nt{arch}".casefold() in text and f"{driver}.sys" in siblings


def decoded(raw: bytes) -> str:
    """Text of an .inf file: UTF-16 with a mark, otherwise one byte for each character."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    return raw.decode("latin-1")


def choose_image(
    images: Sequence[WimImage],
    wanted: tuple[str, str] | None,
    product_key: str | None,
    editions_by_key: Mapping[str, str],
) -> WimImage:
    """The image to install. Raises SetupFailure as Windows refuses.

    `editions_by_key` says which edition a product key is for, as far as that is known.
    """
    if product_key is not None and not PRODUCT_KEY.fullmatch(product_key):
        raise SetupFailure("setup.error.key", "the product key is malformed")
    edition = editions_by_key.get(product_key or "")
    fitting = [image for image in images if edition in (None, image.edition)]
    if wanted is None:
        if len(fitting) == 1:
            return fitting[0]
        raise SetupFailure("setup.error.no-images", "the answer file names no image")
    image = choose(list(images), *wanted)
    if image is None:
        raise SetupFailure("setup.error.license", f"no image has the {wanted[0]} {wanted[1]!r}")
    if image not in fitting:
        raise SetupFailure("setup.error.no-images", f"the product key is not for {image.edition}")
    return image
