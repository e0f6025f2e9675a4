"""The files that a build is made from: ISOs and installers, found in the RESOURCES folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from winbuild.errors import MediaError, UsageError
from winbuild.ui import Ui

_CHUNK = 4 << 20


@dataclass(frozen=True)
class Resource:
    """A file that goes into a build. `sha256` in hexadecimal."""

    path: Path
    size_bytes: int
    mtime_ns: int
    sha256: str


def find_resource(name: str, folder: Path, *, key: str, what: str) -> Path:
    """The absolute path of a file named by the setting `key`: a path, or a name in `folder`.

    Raises UsageError if the setting is empty, MediaError saying where it was looked for.
    """
    if not name:
        raise UsageError(
            f"{key} is not set: {what}",
            hint=f"put the file into {folder}/ and set {key} to its name, in "
            f"windows-image-build.ini or as an environment variable",
        )
    given = Path(name).expanduser()
    places = [given.absolute()] if given.is_absolute() else [folder / given, given]
    for place in places:
        if place.is_dir():
            raise MediaError(f"{key}: {place} is a directory, and a file is needed ({what})")
        if place.is_file():
            return place.absolute()
    looked = " and as ".join(str(place) for place in places)
    raise MediaError(
        f"{key}: there is no file {looked} ({what})",
        hint=f"put it into {folder.absolute()}/ or set {key} to its path",
    )


def fingerprint(path: Path, ui: Ui) -> Resource:
    """Size and SHA-256 of a file; a bar is shown, since an ISO takes a while."""
    digest = hashlib.sha256()
    found = path.stat()
    with (
        path.open("rb") as stream,
        ui.progress(f"checksum of {path.name}", found.st_size, "B") as bar,
    ):
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            bar.advance(len(chunk))
    return Resource(path, found.st_size, found.st_mtime_ns, digest.hexdigest())
