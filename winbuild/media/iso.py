"""First checks of install media and product keys: cheap, before anything is started."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from winbuild.errors import MediaError, UsageError

_SECTOR_BYTES = 2048

# ECMA-119: sixteen system sectors, then volume descriptors; the primary one is type 1.
_FIRST_DESCRIPTOR = 16
_MAX_DESCRIPTORS = 32
_PRIMARY = 1
_TERMINATOR = 255

# Recorders may pad the last track by up to 150 sectors, which copies of a disc can lack.
_PADDING_BYTES = 150 * _SECTOR_BYTES

# What files that are taken for an ISO begin with, in lower case, and what they are.
_OTHER_FORMATS = (
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"pk\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"qfi\xfb", "a qcow2 disk image"),
    (b"mz", "a Windows program"),
    (b"mswim\0", "a WIM image"),
)
_HINTS = {
    "a web page": "the download page was saved instead of the file: download it in a browser",
    "a gzip archive": "unpack it first",
    "a zip archive": "unpack it first",
    "a 7-Zip archive": "unpack it first",
}


@dataclass(frozen=True)
class IsoInfo:
    """What the volume descriptor of an ISO file says. `volume_id` tells the medium."""

    path: Path
    size_bytes: int
    volume_id: str


def check_iso(path: Path) -> IsoInfo:
    """Make sure that the file is a whole ISO 9660 image. Raises MediaError if it is not."""
    if not path.exists():
        raise MediaError(f"there is no file {path}", hint="check the name of the ISO file")
    if not path.is_file():
        raise MediaError(f"{path} is not a file", hint="give the ISO file itself")
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f"{path} is empty", hint="download it again")
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            stream.seek(_FIRST_DESCRIPTOR * _SECTOR_BYTES)
            descriptors = stream.read(_MAX_DESCRIPTORS * _SECTOR_BYTES)
    except OSError as exc:
        raise MediaError(f"{path} cannot be read: {exc.strerror}") from exc
    primary = _primary_descriptor(descriptors)
    if primary is None:
        raise _not_an_iso(path, head)
    _check_whole(path, size, primary)
    volume_id = primary[40:72].decode("ascii", errors="replace").rstrip(" \0")
    return IsoInfo(path, size, volume_id)


def _primary_descriptor(descriptors: bytes) -> bytes | None:
    for start in range(0, len(descriptors) - _SECTOR_BYTES + 1, _SECTOR_BYTES):
        sector = descriptors[start : start + _SECTOR_BYTES]
        if sector[1:6] != b"CD001" or sector[0] == _TERMINATOR:
            return None
        if sector[0] == _PRIMARY:
            return sector
    return None


def _check_whole(path: Path, size: int, primary: bytes) -> None:
    blocks = int.from_bytes(primary[80:84], "little")
    block_bytes = int.from_bytes(primary[128:130], "little")
    expected = blocks * block_bytes
    if size + _PADDING_BYTES < expected:
        raise MediaError(
            f"{path} is cut off: it holds {size} of {expected} bytes",
            hint="the download or copy was not complete: fetch it again",
        )


def _not_an_iso(path: Path, head: bytes) -> MediaError:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, what in _OTHER_FORMATS:
        if start.startswith(magic):
            hint = _HINTS.get(what, "give the ISO file of the install medium")
            return MediaError(f"{path} is no ISO 9660 image: it is {what}", hint=hint)
    return MediaError(
        f"{path} is no ISO 9660 image: it has no primary volume descriptor",
        hint="give the ISO file of the install medium, or download it again",
    )


# The 24 characters that Microsoft's keys are written with, and N, which keys have since
# Windows 8.
_KEY_GROUP = re.compile(r"[BCDFGHJKMNPQRTVWXY2346789]{5}")


def check_product_key(text: str) -> str | None:
    """The key in capitals, or None for the word `none`.

    Raises UsageError if it cannot be a product key. The message does not repeat the text,
    because a key with a slip in it is nearly a key.
    """
    key = text.strip().upper()
    if key == "NONE":
        return None
    hint = "it has the form XXXXX-XXXXX-XXXXX-XXXXX-XXXXX, or is the word none"
    groups = key.split("-")
    if len(groups) != 5 or any(len(group) != 5 for group in groups):
        lengths = ", ".join(str(len(group)) for group in groups)
        raise UsageError(
            f"this is no product key: it has groups of {lengths} characters instead of five of 5",
            hint=hint,
        )
    for number, group in enumerate(groups, start=1):
        if not _KEY_GROUP.fullmatch(group):
            raise UsageError(
                f"this is no product key: its group {number} has a character that keys do not use",
                hint=f"{hint}; keys have no vowels and no 0, 1, 5, L, S, Z",
            )
    return key
