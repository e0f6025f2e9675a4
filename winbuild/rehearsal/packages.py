"""Looks into the packages of a Debian or Ubuntu host: versions, files, shared libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from winbuild.errors import HostError
from winbuild.host import Host
from winbuild.rehearsal.elf import is_elf

QUERY_TIMEOUT_S = 60.0
_QUERY_FORMAT = "${Package} ${db:Status-Status} ${Version}\n"
_LDD_LINE = re.compile(rb"(?:=>\s+|^\s+)(/\S+)\s+\(0x", re.MULTILINE)


def system_python_version() -> str:
    """Version of the distribution's Python, such as `3.11`. Raises HostError without one."""
    target = Path("/usr/bin/python3").resolve().name
    if not re.fullmatch(r"python3\.\d+", target):
        raise HostError(
            "the rehearsal guest runs on the distribution's /usr/bin/python3, which is missing",
            hint="on Debian or Ubuntu: sudo apt-get install python3 python3-pil",
        )
    return target.removeprefix("python")


def installed_versions(
    host: Host, names: Iterable[str], optional: Iterable[str] = ()
) -> dict[str, str]:
    """Version by package name; of `optional` those that are there.

    HostError names every other package that is not installed.
    """
    wanted = sorted(set(names))
    found = host.run(
        ["dpkg-query", "-W", "-f", _QUERY_FORMAT, *wanted, *optional],
        timeout_s=QUERY_TIMEOUT_S,
        check=False,
    )
    versions: dict[str, str] = {}
    for line in found.text.splitlines():
        name, status, version = line.split(" ")
        if status == "installed":
            versions[name] = version
    missing = [name for name in wanted if name not in versions]
    if missing:
        raise HostError(
            f"the rehearsal media need packages that are not installed: {', '.join(missing)}",
            hint=f"on Debian or Ubuntu: sudo apt-get install {' '.join(missing)}",
        )
    return versions


def files_of(host: Host, names: Sequence[str], leave_out: Sequence[str]) -> list[Path]:
    """Files and symbolic links of packages, without those that a pattern of `leave_out` fits."""
    listed = host.run(["dpkg", "-L", *names], timeout_s=QUERY_TIMEOUT_S).text.splitlines()
    paths = [Path(line) for line in sorted(set(listed)) if line.startswith("/")]
    return [
        path
        for path in paths
        if (path.is_symlink() or path.is_file())
        and not any(fnmatchcase(str(path), pattern) for pattern in leave_out)
    ]


def shared_libraries(host: Host, programs: Iterable[Path]) -> set[Path]:
    """What the dynamic linker would load for `programs` (ELF files), the linker included."""
    elf = sorted(str(path) for path in programs if is_elf(path))
    if not elf:
        return set()
    # Exit status 1 only says that a static program is among them.
    said = host.run(["ldd", *elf], timeout_s=QUERY_TIMEOUT_S, check=False)
    return {Path(found.decode()) for found in _LDD_LINE.findall(said.stdout)}
