"""The floppy that Windows Setup reads: 1440 KiB, FAT12, made without root by mtools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.errors import MediaError
from winbuild.host import Host

VOLUME_LABEL = "WINBUILD"

FLOPPY_BYTES = 1440 * 1024

# What mformat -f 1440 lays out: 2880 sectors of 512 bytes, of which the boot sector, two FATs
# of 9 and the root directory (224 entries of 32 bytes) take 33. A cluster is one sector.
_CLUSTER_BYTES = 512
_CLUSTERS = 2880 - 33
_ROOT_ENTRIES = 224
_LABEL_ENTRIES = 1

# The same content gives the same image: without these, mtools writes the time of day and a
# random serial number. The date is the default date of installations (INSTALLDATE).
_EPOCH_S = 1396310400
_SERIAL = "57494e42"

_TIMEOUT_S = 60.0

_SHORT_NAME = re.compile(r"[A-Z0-9!#$%&'()@^_`{}~-]{1,8}(\.[A-Z0-9!#$%&'()@^_`{}~-]{1,3})?")
_FORBIDDEN = re.compile(r'[\x00-\x1f"*/:<>?\\|\x7f]')
_CHARS_PER_LONG_ENTRY = 13


def make_floppy(host: Host, dest: Path, files: Mapping[str, bytes]) -> None:
    """Make `dest` a floppy image with these files in its root directory, by name.

    The image appears complete or not at all, with mode 0600: it may hold a product key. What
    is on it is read back and compared. Raises MediaError if the files do not fit or a name
    is not possible on the floppy.
    """
    check_fits(files)
    with unfinished(dest, mode=0o600) as image:
        mtools = _Mtools(host, image)
        mtools.run("mformat", "-C", "-f", "1440", "-v", VOLUME_LABEL, "-N", _SERIAL, "::")
        for name, content in files.items():
            mtools.run("mcopy", "-", f"::{name}", stdin=content)
        for name, content in files.items():
            # mtype takes shell patterns, in which brackets have a meaning.
            pattern = re.sub(r"([\[\]])", r"\\\1", name)
            if mtools.run("mtype", f"::{pattern}") != content:
                raise MediaError(
                    f"{name} does not read back from the new floppy image as it was written",
                    hint="is the disk full, or is mtools very old? try: mtools --version",
                )


def check_fits(files: Mapping[str, bytes]) -> None:
    """Raise MediaError, saying by how much, if the files are too much for one floppy."""
    seen: dict[str, str] = {}
    for name in files:
        _check_name(name)
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise MediaError(
                f"{other} and {name} are one and the same name on a floppy", hint="rename one"
            )
    clusters = sum(-(-len(content) // _CLUSTER_BYTES) for content in files.values())
    if clusters > _CLUSTERS:
        excess = (clusters - _CLUSTERS) * _CLUSTER_BYTES
        biggest = max(files, key=lambda name: len(files[name]))
        raise MediaError(
            f"the files for the floppy are {excess} bytes too many: it holds "
            f"{_CLUSTERS * _CLUSTER_BYTES} bytes in sectors of {_CLUSTER_BYTES}",
            hint=f"the biggest file is {biggest} with {len(files[biggest])} bytes",
        )
    entries = sum(map(_directory_entries, files)) + _LABEL_ENTRIES
    if entries > _ROOT_ENTRIES:
        raise MediaError(
            f"the floppy's root directory holds {_ROOT_ENTRIES} entries, and these {len(files)} "
            f"files need {entries}: one each, and more for a long name",
            hint="use fewer files or shorter names",
        )


def _check_name(name: str) -> None:
    fault = None
    if not name or name in (".", ".."):
        fault = "is no name"
    elif _FORBIDDEN.search(name):
        fault = "has a character that Windows does not allow in names"
    elif name != name.rstrip(" .") or name != name.lstrip(" "):
        fault = "begins with a blank or ends with a blank or a dot, which Windows drops"
    elif len(name.encode("utf-16-le")) // 2 > 255:
        fault = "is longer than 255 characters"
    if fault:
        raise MediaError(f"the file name {name!r} {fault}", hint="rename the file")


def _directory_entries(name: str) -> int:
    """How many of the root directory's entries a file of this name takes.

    A name of the 8.3 form, each half in one case, takes one (Windows NT keeps two bits for
    the case); any other has a long name, kept in further entries.
    """
    halves = name.split(".")
    one_case = all(half in (half.upper(), half.lower()) for half in halves)
    if name.isascii() and one_case and _SHORT_NAME.fullmatch(name.upper()):
        return 1
    units = len(name.encode("utf-16-le")) // 2
    return 1 + -(-units // _CHARS_PER_LONG_ENTRY)


class _Mtools:
    """Runs mtools on one image, without the settings of whoever calls winbuild."""

    def __init__(self, host: Host, image: Path) -> None:
        self._host = host
        self._image = image
        self._env = {
            "LC_ALL": "C.UTF-8",
            "MTOOLSRC": "/dev/null",
            "SOURCE_DATE_EPOCH": str(_EPOCH_S),
        }

    def run(self, program: str, *arguments: str, stdin: bytes | None = None) -> bytes:
        # In the image's own folder: mtools gives @@ in an image's path a meaning.
        return self._host.run(
            [program, "-i", self._image.name, *arguments],
            cwd=self._image.parent,
            env=self._env,
            stdin=stdin,
            timeout_s=_TIMEOUT_S,
        ).stdout
