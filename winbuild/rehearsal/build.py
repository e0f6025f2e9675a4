"""Makes the rehearsal media: a stand-in for the Windows DVD, one for the virtio-win CD, and one
for the agent's installer. What they are for is told in the documentation of `winbuild rehearsal`.
"""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from winbuild.atomic import unfinished, write_atomic
from winbuild.errors import UsageError
from winbuild.host import Host
from winbuild.rehearsal import cpio, iso, loader
from winbuild.rehearsal.runtime import Runtime, get_runtime
from winbuild.rehearsal.virtio import virtio_files
from winbuild.rehearsal.wim import Label, label_named, make_install_wim, stand_in
from winbuild.ui import Ui
from winbuild.windows.versions import version

GUEST_DIR = Path(__file__).parent / "guest"
GUEST_PACKAGE = "guest/winbuild/rehearsal/guest"
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


def guest_archive(media: Mapping[str, object]) -> bytes:
    """The guest's own program and `media.json`, as the second RAM file system archive."""
    entries = [cpio.directory("guest")]
    folders = ("winbuild", "winbuild/rehearsal", "winbuild/rehearsal/guest")
    entries += [cpio.directory(f"guest/{folder}") for folder in folders]
    entries += [cpio.file(f"guest/{folder}/__init__.py", b"") for folder in folders[:2]]
    for path in sorted(GUEST_DIR.iterdir()):
        if path.suffix in (".py", ".toml"):
            entries.append(cpio.file(f"{GUEST_PACKAGE}/{path.name}", path.read_bytes()))
    text = json.dumps(media, indent=1, ensure_ascii=False, sort_keys=True)
    entries.append(cpio.file("guest/media.json", text.encode()))
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
    with ui.progress("rehearsal media"), tempfile.TemporaryDirectory(prefix="winbuild-") as work:
        wim = make_install_wim(host, facts, language, Path(work))
        told = _told_to_guest(facts, language, switches or {})
        files = _windows_files(facts, language, runtime, told, wim)
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


def _told_to_guest(
    facts: Label, language: str, switches: Mapping[str, str]
) -> dict[str, object]:
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
    facts: Label, language: str, runtime: Runtime, told: Mapping[str, object], wim: Path
) -> dict[str, iso.Content]:
    """The Windows DVD: what a real one has at these places, and the folder `rehearsal`."""
    major, minor, build, _ = facts.version
    setup = f"[BuildInfo]\r\nBuildBranch=rehearsal\r\nBuildNumber={build}\r\n"
    lang = f"[Available UI Languages]\r\n{language} = 3\r\n\r\n[Fallback Languages]\r\n"
    looks = ("bootmgr", "boot/bcd", "boot/boot.sdi", "boot/bootfix.bin", "setup.exe")
    folder = loader.CD_FOLDER.strip("/")
    kernel, initrd, guest = loader.BOOT_FILES
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
        f"{folder}/{guest}": guest_archive(told),
        f"{folder}/disk-mbr.bin": runtime.disk_mbr,
        f"{folder}/disk-core.bin": runtime.disk_core,
    }
