"""The guest's root file system: programs, libraries and fonts of the host's distribution.

It is put together from files of installed packages, so it is what the host runs too, and
becomes a squashfs image: small to load under emulation, read only where it is used.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from winbuild.host import Host
from winbuild.rehearsal import packages
from winbuild.rehearsal.elf import blank_section, is_elf
from winbuild.rehearsal.kernel import Kernel

SQUASH_TIMEOUT_S = 300.0
COMPILE_TIMEOUT_S = 300.0
# /bin and the like are links into /usr on every current Debian and Ubuntu.
_MERGED = ("bin", "sbin", "lib", "lib64")
_MOUNT_POINTS = ("dev", "proc", "sys", "run", "tmp", "mnt", "root", "etc")


def build_root(
    host: Host,
    whole_packages: Sequence[str],
    programs: Iterable[str],
    leave_out: Sequence[str],
    blank: Sequence[str],
    kernel: Kernel,
    init: Path,
    work: Path,
    dest: Path,
) -> None:
    """Make the squashfs image `dest`; `work` is an empty directory for the time being.

    `init` becomes /sbin/rehearsal, which the first RAM file system starts. The patterns are
    those of runtime.toml.
    """
    files = packages.files_of(host, whole_packages, leave_out)
    files += [Path(host.find(name)) for name in programs]
    files += sorted(packages.shared_libraries(host, files))
    for name in _MERGED:
        (work / "usr" / name).mkdir(parents=True)
        (work / name).symlink_to(f"usr/{name}")
    for name in _MOUNT_POINTS:
        (work / name).mkdir()
    (work / "etc/mtab").symlink_to("/proc/self/mounts")
    for path in files:
        _copy(path, work / _inside_usr(path).relative_to("/"))
    for path in (path for pattern in blank for path in work.glob(pattern)):
        if is_elf(path):
            path.write_bytes(blank_section(path.read_bytes(), ".rodata"))
    (work / "bin/python3").symlink_to(f"python{packages.system_python_version()}")
    _add_busybox_names(host, work)
    library = work / "usr/lib" / f"python{packages.system_python_version()}"
    folders = [library, work / "usr/lib/python3/dist-packages"]
    compile_python(host, work, folders, keep_source=False)
    _add_modules(kernel, work / "modules")
    shutil.copyfile(init, work / "sbin/rehearsal")
    (work / "sbin/rehearsal").chmod(0o755)
    options = ["-comp", "zstd", "-Xcompression-level", "15", "-b", "128K", "-all-root"]
    quiet = ["-no-progress", "-quiet", "-noappend", "-no-xattrs"]
    host.run(["mksquashfs", work, dest, *options, *quiet], timeout_s=SQUASH_TIMEOUT_S)


def _inside_usr(path: Path) -> Path:
    return Path("/usr", *path.parts[1:]) if path.parts[1] in _MERGED else path


def _copy(source: Path, dest: Path) -> None:
    dest.parent.mkdir(parents=True, exist_ok=True)
    if dest.exists() or dest.is_symlink():
        return
    if source.is_symlink() and source.readlink().parent == Path():
        target = source.resolve()
        _copy(target, dest.parent / target.name)
        dest.symlink_to(target.name)
    else:
        shutil.copy2(source, dest)


def _add_busybox_names(host: Host, root: Path) -> None:
    """Links for what busybox can do, unless there is the program itself."""
    names = host.run(["busybox", "--list"], timeout_s=60).text.split()
    for name in names:
        link = root / "usr/bin" / name
        if not link.exists() and not (root / "usr/sbin" / name).exists():
            link.symlink_to("busybox")


def compile_python(
    host: Host, root: Path, folders: Iterable[Path], *, keep_source: bool = True
) -> None:
    """Byte code that is never checked against its source; `root` is / for the guest."""
    how = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/"]
    if not keep_source:
        how.append("-b")  # beside the source, in whose place it then is
    argv = ["/usr/bin/python3", "-m", "compileall", *how, *map(str, folders)]
    host.run(argv, timeout_s=COMPILE_TIMEOUT_S)
    if not keep_source:
        for source in (path for folder in folders for path in folder.rglob("*.py")):
            source.unlink()


def _add_modules(kernel: Kernel, dest: Path) -> None:
    shutil.copytree(kernel.modules_dir, dest)
    for group, files in kernel.modules.items():
        (dest / f"{group}.list").write_text("".join(f"{name}\n" for name in files))
