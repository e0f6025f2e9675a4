"""The rehearsal media, and a build directory's whole environment, for tests with a real VM."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from build_project import Project

from winbuild.host import Host
from winbuild.rehearsal.build import RehearsalMedia, make_rehearsal_media
from winbuild.ui import QuietUi

MediaMaker = Callable[..., RehearsalMedia]


@pytest.fixture(scope="session")
def make_media(tmp_path_factory: pytest.TempPathFactory) -> MediaMaker:
    """Make (once per session) the rehearsal media for a label, a language and switches."""
    made: dict[tuple[str, str, tuple[tuple[str, str], ...]], RehearsalMedia] = {}

    def make(label: str = "2012", language: str = "en-US", **switches: str) -> RehearsalMedia:
        key = (label, language, tuple(sorted(switches.items())))
        if key not in made:
            made[key] = make_rehearsal_media(
                tmp_path_factory.mktemp("media"),
                Host(),
                QuietUi(),
                label=label,
                language=language,
                switches={name.replace("_", "-"): text for name, text in switches.items()},
            )
        return made[key]

    return make


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Make a project folder for the rehearsal media; VMs are stopped afterwards."""
    projects: list[Project] = []

    def make(
        media: RehearsalMedia, *, label: str = "2012", language: str = "en-US", name: str = "b"
    ) -> Project:
        (tmp_path / "builddirs").mkdir(exist_ok=True)
        environment = os.environ | {
            f"ISO{label}": str(media.windows_iso),
            f"KEY{label}": "none",
            "VIRTIOISO": str(media.virtio_iso),
            "ZABBIXINSTALLER": str(media.agent_installer),
            "LANGUAGE": language,
            "IMAGESIZE": "3G",
            "MEMORY": "768",
            "ACCEL": "tcg",
        }
        projects.append(Project(tmp_path, name, label, environment))
        return projects[-1]

    yield make
    for project in projects:
        if project.dir.exists():
            project.run("-kill-kvm")
