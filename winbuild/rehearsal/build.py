"""Makes the rehearsal media: a stand-in for the Windows DVD, one for the virtio-win CD, and one
for the agent's installer. What they are for is told in the documentation of `winbuild rehearsal`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.host import Host
from winbuild.rehearsal import cpio, loader
from winbuild.rehearsal.runtime import Runtime, get_runtime
from winbuild.ui import Ui

GUEST_DIR = Path(__file__).parent / "guest"
GUEST_PACKAGE = "guest/winbuild/rehearsal/guest"


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
