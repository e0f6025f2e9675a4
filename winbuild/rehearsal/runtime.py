"""The part of the rehearsal media that is the same for every label, language and switch.

Kernel, root file system and boot code take a while to make, so they are kept under
$XDG_CACHE_HOME/winbuild/rehearsal, in directories named by a hash of everything that they are
made of. A directory has its name only when it is complete; makers take turns by a lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winbuild.errors import HostError
from winbuild.host import Host
from winbuild.rehearsal import cpio, loader, packages, rootfs
from winbuild.rehearsal.fast_kernel import CannotRepack, repack
from winbuild.rehearsal.kernel import Kernel, fetch_kernel
from winbuild.ui import Ui

HERE = Path(__file__).parent
TABLE = HERE / "runtime.toml"
UNUSED_DAYS = 14  # a directory that nobody has used for so long is removed


@dataclass(frozen=True)
class Runtime:
    """Files of a complete runtime in the cache."""

    directory: Path

    @property
    def kernel(self) -> Path:
        return self.directory / "kernel"

    @property
    def initrd(self) -> Path:
        return self.directory / "initrd.img"

    @property
    def cd_boot(self) -> Path:
        """The El Torito boot file."""
        return self.directory / "cdboot.bin"

    @property
    def disk_mbr(self) -> Path:
        """Code of the master boot record, 440 bytes."""
        return self.directory / "disk-mbr.bin"

    @property
    def disk_core(self) -> Path:
        """Boot code for the sectors from 1 on."""
        return self.directory / "disk-core.bin"


def cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "winbuild" / "rehearsal"


def get_runtime(host: Host, ui: Ui) -> Runtime:
    """The runtime for the host's present packages, made if the cache has none.

    Raises HostError naming what is not installed, CommandError if a tool fails.
    """
    table = tomllib.loads(TABLE.read_text())
    optional = table["packages"]["optional_tools"]
    versions = packages.installed_versions(host, _package_names(table), optional)
    key = _hash(*_sources(), *(f"{name} {version}" for name, version in versions.items()))
    cache = cache_dir()
    return Runtime(_cached(cache, f"runtime-{key}", lambda dest: _build(host, ui, table, dest)))


def _package_names(table: Mapping[str, Any]) -> list[str]:
    python = packages.system_python_version()
    whole = [name.format(python=python) for name in table["packages"]["whole"]]
    return [*whole, *table["packages"]["tools"], *table["programs"].values()]


def _sources() -> list[bytes]:
    """Everything of our own that shapes a runtime."""
    modules = ("cpio", "elf", "fast_kernel", "kernel", "loader", "packages", "rootfs", "runtime")
    files = [HERE / f"{name}.py" for name in modules]
    files += [HERE / name for name in ("runtime.toml", "cdboot.asm", "unpacker.asm")]
    files += [HERE / "guest/init.sh", HERE / "guest/initramfs.sh"]
    return [path.read_bytes() for path in files]


def _build(host: Host, ui: Ui, table: Mapping[str, Any], dest: Path) -> None:
    wanted = json.dumps([table["kernel"], table["modules"]])
    key = _hash(wanted, (HERE / "kernel.py").read_bytes())
    kernel = Kernel.load(
        _cached(cache_dir(), f"kernel-{key}", lambda path: fetch_kernel(host, ui, table, path))
    )
    python = packages.system_python_version()
    with ui.progress("rehearsal: root file system of the guest"):
        work = dest / "work"
        root = work / "root"
        root.mkdir(parents=True)
        rootfs.build_root(
            host,
            [name.format(python=python) for name in table["packages"]["whole"]],
            table["programs"],
            table["packages"]["leave_out"],
            table["packages"]["blank"],
            kernel,
            HERE / "guest/init.sh",
            root,
            work / "root.img",
        )
        initrd = cpio.newc_archive(_initramfs(host, kernel, work / "root.img"))
        (dest / "initrd.img").write_bytes(initrd)
        (dest / "kernel").write_bytes(_quick_kernel(host, ui, kernel.image.read_bytes(), work))
        (dest / "cdboot.bin").write_bytes(loader.build_cd_boot(host, HERE / "cdboot.asm", work))
        mbr, core = loader.build_disk_boot(host, work)
        (dest / "disk-mbr.bin").write_bytes(mbr)
        (dest / "disk-core.bin").write_bytes(core)
        shutil.rmtree(work)


def _quick_kernel(host: Host, ui: Ui, kernel: bytes, work: Path) -> bytes:
    try:
        return repack(host, kernel, work)
    except (CannotRepack, HostError) as why:
        ui.say(f"the rehearsal guest will start some seconds slower: {why}")
        return kernel


def _initramfs(host: Host, kernel: Kernel, root_image: Path) -> Iterator[cpio.Entry]:
    for name in ("bin", "dev", "proc", "sys", "newroot", "modules"):
        yield cpio.directory(name)
    yield cpio.file("bin/busybox", Path(host.find("busybox")).read_bytes(), executable=True)
    for name in ("sh", "mount", "insmod", "cp", "sleep", "switch_root"):
        yield cpio.symlink(f"bin/{name}", "busybox")
    for number, name in enumerate(kernel.modules["boot"]):
        content = (kernel.modules_dir / name).read_bytes()
        yield cpio.file(f"modules/{number:02}-{name}", content)
    script = (HERE / "guest/initramfs.sh").read_bytes()
    yield cpio.file("init", script, executable=True)
    yield cpio.file("root.img", root_image.read_bytes())


def _cached(cache: Path, name: str, build: Callable[[Path], None]) -> Path:
    """The directory `name` of the cache; `build` fills it if it is not there."""
    final = cache / name
    if not final.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _turn(cache / f"{name.partition('-')[0]}.lock"):
            if not final.is_dir():
                _remove_unused(cache, name.partition("-")[0])
                with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=cache) as temporary:
                    work = Path(temporary) / name
                    work.mkdir()
                    build(work)
                    work.rename(final)
    os.utime(final)
    return final


@contextmanager
def _turn(lock: Path) -> Iterator[None]:
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _remove_unused(cache: Path, kind: str) -> None:
    """Old runtimes, and what a killed maker left (whoever holds the lock is the only maker)."""
    for path in cache.glob(f".{kind}-*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in cache.glob(f"{kind}-*"):
        if path.stat().st_mtime < time.time() - UNUSED_DAYS * 86400:
            shutil.rmtree(path, ignore_errors=True)


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:16]
