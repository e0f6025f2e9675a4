"""The distribution's stock kernel, taken out of its package: nothing is installed on the host.

`apt-get download` and `dpkg-deb` need no root. Kept in the cache: the kernel, the modules that
the guest uses, and `modules.json`, which says in which order they are to be loaded.
"""

from __future__ import annotations

import json
import lzma
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from winbuild.errors import CommandError, HostError, MediaError
from winbuild.host import Host
from winbuild.ui import Ui

DOWNLOAD_TIMEOUT_S = 900.0
UNPACK_TIMEOUT_S = 300.0
GROUPS = ("boot", "needed", "useful", "framebuffer")


@dataclass(frozen=True)
class Kernel:
    """A kernel in the cache. `modules` has file names in load order, by group of the table."""

    image: Path
    modules_dir: Path
    modules: Mapping[str, Sequence[str]]

    @classmethod
    def load(cls, directory: Path) -> Kernel:
        modules = json.loads((directory / "modules.json").read_text())
        return cls(directory / "vmlinuz", directory / "modules", modules)


def fetch_kernel(host: Host, ui: Ui, table: Mapping[str, Mapping[str, object]], dest: Path) -> None:
    """Download the kernel's package and put what is needed of it into the directory `dest`."""
    work = dest / "unpacked"
    work.mkdir(parents=True)
    images = _strings(table["kernel"]["images"])
    package = _newest_image(host, images)
    release = package.removeprefix("linux-image-").removeprefix("unsigned-")
    ui.say(f"fetching the distribution's kernel {release} for the rehearsal guest")
    wanted = [package]
    modules_package = str(table["kernel"]["modules_package"]).format(kernel=release)
    if _known(host, modules_package):
        wanted.append(modules_package)
    try:
        host.run(["apt-get", "download", "-q", *wanted], cwd=work, timeout_s=DOWNLOAD_TIMEOUT_S)
    except CommandError as exc:
        raise HostError(
            f"the kernel package {package} cannot be downloaded: {exc.message}",
            hint="sudo apt-get update, then try again (the kernel is not installed, only unpacked)",
        ) from exc
    for deb in sorted(work.glob("*.deb")):
        host.run(["dpkg-deb", "-x", deb, work / "tree"], timeout_s=UNPACK_TIMEOUT_S)
    _take(host, work / "tree", release, table["modules"], dest)
    shutil.rmtree(work)


def _take(host: Host, tree: Path, release: str, groups: Mapping[str, object], dest: Path) -> None:
    root = next((path for path in tree.glob(f"**/modules/{release}") if path.is_dir()), None)
    images = sorted(tree.glob(f"boot/vmlinu?-{release}"))
    if root is None or not images:
        raise MediaError(f"the kernel package of {release} holds no kernel or no modules")
    shutil.copyfile(images[0], dest / "vmlinuz")
    loader = ModuleFinder(host, root)
    (dest / "modules").mkdir()
    order: dict[str, list[str]] = {}
    for group in GROUPS:
        found = loader.in_load_order(_strings(groups[group]), must_exist=group in GROUPS[:2])
        order[group] = []
        for name in found:
            (dest / "modules" / f"{name}.ko").write_bytes(loader.content(name))
            order[group].append(f"{name}.ko")
    (dest / "modules.json").write_text(json.dumps(order, indent=1))


class ModuleFinder:
    """Modules of one kernel: what each depends on is read from the module itself.

    (The index that `depmod` makes is not in the package, and its files are the host's.)
    """

    def __init__(self, host: Host, root: Path) -> None:
        self._host = host
        self._files = {_plain(path.name): path for path in root.rglob("*.ko*")}
        builtin = (root / "modules.builtin").read_text().split()
        self._builtin = {_plain(Path(line).name) for line in builtin}
        self._content: dict[str, bytes] = {}
        self._given: set[str] = set()

    def content(self, name: str) -> bytes:
        if name not in self._content:
            path = self._files[name]
            raw = path.read_bytes()
            if path.suffix == ".xz":
                raw = lzma.decompress(raw)
            elif path.suffix == ".zst":
                raw = self._host.run(["zstd", "-dcq", path], timeout_s=UNPACK_TIMEOUT_S).stdout
            self._content[name] = raw
        return self._content[name]

    def in_load_order(self, names: Iterable[str], *, must_exist: bool) -> list[str]:
        """Names with what they depend on before them; those given earlier are left out.

        Raises MediaError for an unknown name if `must_exist`.
        """
        order: list[str] = []
        for name in map(_plain, names):
            if name in self._files:
                self._visit(name, order)
            elif must_exist and name not in self._builtin:
                raise MediaError(f"the distribution's kernel has no module {name!r}")
        return order

    def _visit(self, name: str, order: list[str]) -> None:
        if name in self._given or name not in self._files:
            return
        self._given.add(name)
        for needed in module_dependencies(self.content(name)):
            self._visit(needed, order)
        order.append(name)


def module_dependencies(module: bytes) -> list[str]:
    """The `depends=` line of a module's .modinfo section (kernel/module: NUL-ended strings)."""
    found = re.search(rb"\0depends=([\w,-]*)\0", module)
    return [_plain(name) for name in found[1].decode().split(",") if name] if found else []


def _newest_image(host: Host, names: Sequence[str]) -> str:
    """The real package that a name such as linux-image-amd64 stands for now."""
    for name in names:
        said = host.run(["apt-cache", "depends", name], timeout_s=60, check=False).text
        found = re.search(r"Depends: (linux-image-\S*\d\S*)", said)
        if found:
            return found[1]
    raise HostError(
        f"apt knows no kernel package ({', '.join(names)})",
        hint="sudo apt-get update, then try again (the kernel is not installed, only unpacked)",
    )


def _known(host: Host, package: str) -> bool:
    return host.run(["apt-cache", "show", package], timeout_s=60, check=False).returncode == 0


def _plain(name: str) -> str:
    return name.split(".ko")[0].replace("-", "_")


def _strings(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"a list is wanted, not {value!r}")
    return [str(item) for item in value]
