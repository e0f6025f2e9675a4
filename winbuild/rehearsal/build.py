"""Makes the rehearsal media: a stand-in for the Windows DVD, one for the virtio-win CD, and one
for the agent's installer. What they are for is told in the documentation of `winbuild rehearsal`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from winbuild.atomic import unfinished, write_atomic
from winbuild.errors import UsageError
from winbuild.host import Host
from winbuild.rehearsal import cpio, iso, loader, rootfs
from winbuild.rehearsal.runtime import Runtime, get_runtime
from winbuild.rehearsal.virtio import virtio_files
from winbuild.rehearsal.wim import Label, label_named, make_install_wim, stand_in
from winbuild.ui import Ui
from winbuild.windows.versions import version

GUEST_DIR = Path(__file__).parent / "guest"
GUEST_ROOT = "guest"  # becomes /run/guest
GUEST_PACKAGE = "winbuild/rehearsal/guest"
INSTALLER_MARK = b"winbuild rehearsal installer"
README = """\
winbuild rehearsal: this medium stands for {name}, for practice.
It holds no part of Windows. It starts a Linux that behaves as Windows Setup does towards
whoever builds an image with winbuild.
"""


@dataclass(frozen=True)
class RehearsalMedia:
    """Where the media are."""

    windows_iso: Path
    virtio_iso: Path
    agent_installer: Path


def guest_archive(host: Host, media: Mapping[str, object], work: Path) -> bytes:
    """The guest's own program and `media.json`, as the second RAM file system archive.

    The program goes with byte code, for compiling is slow under emulation. `work` is an empty
    directory.
    """
    folder = work / GUEST_PACKAGE
    folder.mkdir(parents=True)
    for parent in (folder.parent, folder.parent.parent):
        (parent / "__init__.py").touch()
    for path in sorted(GUEST_DIR.iterdir()):
        if path.suffix in (".py", ".toml"):
            shutil.copyfile(path, folder / path.name)
    rootfs.compile_python(host, work, [work])
    text = json.dumps(media, indent=1, ensure_ascii=False, sort_keys=True)
    entries = [cpio.directory(GUEST_ROOT), cpio.file(f"{GUEST_ROOT}/media.json", text.encode())]
    for path in sorted(work.rglob("*")):
        name = f"{GUEST_ROOT}/{path.relative_to(work)}"
        entries.append(
            cpio.directory(name) if path.is_dir() else cpio.file(name, path.read_bytes())
        )
    return cpio.newc_archive(entries)


def make_rehearsal_media(
    dest: Path,
    host: Host,
    ui: Ui,
    *,
    label: str = "2012",
    language: str = "en-US",
    switches: Mapping[str, str] | None = None,
) -> RehearsalMedia:
    """Write the three media into the directory `dest`, which is made if need be.

    `switches` make the guest misbehave (guest/trouble.py lists them). Raises UsageError for a
    label or language without stand-in, HostError for what the host lacks, CommandError.
    """
    facts = label_named(label)
    if language not in languages():
        known = ", ".join(languages())
        raise UsageError(f"the rehearsal guest does not speak {language!r}", hint=f"known: {known}")
    runtime = get_runtime(host, ui)
    dest.mkdir(parents=True, exist_ok=True)
    media = RehearsalMedia(
        dest / f"windows-{label}-{language}-rehearsal.iso",
        dest / "virtio-win-rehearsal.iso",
        dest / "zabbix_agent-rehearsal_installer.exe",
    )
    with ui.progress("rehearsal media"), tempfile.TemporaryDirectory(prefix="winbuild-") as temp:
        wim = make_install_wim(host, facts, language, Path(temp))
        told = _told_to_guest(facts, language, switches or {})
        guest = guest_archive(host, told, Path(temp, GUEST_ROOT))
        files = _windows_files(facts, language, runtime, guest, wim)
        boot = iso.BootFile("boot/etfsboot.com", runtime.cd_boot.read_bytes())
        with unfinished(media.windows_iso) as path:
            iso.write_iso(path, facts.volume_id(language), files, boot=boot)
        volume_id, drivers = virtio_files()
        with unfinished(media.virtio_iso) as path:
            iso.write_iso(path, volume_id, drivers, layers=iso.LINUX_LAYERS)
        write_atomic(media.agent_installer, agent_installer())
    return media


def languages() -> tuple[str, ...]:
    """Languages that the guest has texts in."""
    return tuple(tomllib.loads((GUEST_DIR / "texts.toml").read_text()))


def agent_installer() -> bytes:
    """The stand-in for the agent's installer; the guest knows it by its mark."""
    return b"MZ" + INSTALLER_MARK + b"\r\n" + stand_in("the agent's installer", 1, 200)


def _told_to_guest(facts: Label, language: str, switches: Mapping[str, str]) -> dict[str, object]:
    """What the guest has to know of its medium: media.json."""
    editions = {image.name: image.edition for image in facts.images}
    windows = version(facts.label)
    keys = {
        key: editions[windows.image_name(name)]
        for name, key in windows.editions.items()
        if key and windows.image_name(name) in editions
    }
    return {
        "label": facts.label,
        "language": language,
        "architecture": facts.architecture,
        "version": ".".join(map(str, facts.version)),
        "product_keys": keys,
        "switches": dict(switches),
    }


def _windows_files(
    facts: Label, language: str, runtime: Runtime, guest: bytes, wim: Path
) -> dict[str, iso.Content]:
    """The Windows DVD: what a real one has at these places, and the folder `rehearsal`."""
    major, minor, build, _ = facts.version
    setup = f"[BuildInfo]\r\nBuildBranch=rehearsal\r\nBuildNumber={build}\r\n"
    lang = f"[Available UI Languages]\r\n{language} = 3\r\n\r\n[Fallback Languages]\r\n"
    looks = ("bootmgr", "boot/bcd", "boot/boot.sdi", "boot/bootfix.bin", "setup.exe")
    folder = loader.CD_FOLDER.strip("/")
    kernel, initrd, program = loader.BOOT_FILES
    return {
        **{name: stand_in(name, 1, 8) for name in looks},
        "README.TXT": README.format(name=facts.prefix).replace("\n", "\r\n").encode(),
        "autorun.inf": b"[AutoRun.Amd64]\r\nopen=setup.exe\r\n",
        "sources/setup.exe": stand_in("sources/setup.exe", 1, 64),
        "sources/idwbinfo.txt": setup.encode(),
        "sources/lang.ini": lang.encode(),
        "sources/cversion.ini": f"[HostBuild]\r\nMinClient={major}.{minor}\r\n".encode(),
        "sources/install.wim": wim,
        f"{folder}/{kernel}": runtime.kernel,
        f"{folder}/{initrd}": runtime.initrd,
        f"{folder}/{program}": guest,
        f"{folder}/disk-mbr.bin": runtime.disk_mbr,
        f"{folder}/disk-core.bin": runtime.disk_core,
    }
