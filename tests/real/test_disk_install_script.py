"""The script that registers an image, run by bash with a stand-in for vdc-manage."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from winbuild.targets.wakame import WakameImage, write_install_script

pytestmark = pytest.mark.real

IMAGE = WakameImage(
    name="windows2008r2",
    archive_name="windows2008r2.x86_64.kvm.md.raw.tar.gz",
    raw_bytes=32212254720,
    archive_bytes=3050428633,
    archive_md5="17c696598a69760ac1110f1418b1bbea",
)
BACKUP_OBJECT = [
    "backupobject", "add",
    "--uuid=bo-windows2008r2",
    "--account-id=a-shpoolxx",
    "--storage-id=bkst-local",
    "--display-name=windows2008r2 30G",
    "--object-key=windows2008r2.x86_64.kvm.md.raw.tar.gz",
    "--container-format=tgz",
    "--size=32212254720",
    "--allocation-size=3050428633",
    "--checksum=17c696598a69760ac1110f1418b1bbea",
]  # fmt: skip
MACHINE_IMAGE = [
    [
        "image", "add", "local", "bo-windows2008r2",
        "--uuid=wmi-windows2008r2",
        "--account-id=a-shpoolxx",
        "--arch=x86_64",
        "--description=windows2008r2.x86_64.kvm.md.raw.tar.gz local",
        "--file-format=raw",
        "--root-device=label:root",
        "--service-type=std",
        "--display-name=windows2008r2 30G",
        "--is-public",
        "--is-cacheable",
    ],
    ["image", "features", "wmi-windows2008r2", "--virtio"],
    ["image", "modify", "wmi-windows2008r2", "--os-type=windows"],
]  # fmt: skip


class Wakame:
    """A host with a vdc-manage that writes down what it is called with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls_file = folder / "calls"
        tool = folder / "bin dir" / "vdc-manage"
        tool.parent.mkdir(parents=True)
        tool.write_text(
            '#!/bin/bash\nprintf "%s\\0" "$@" "" >>"$CALLS"\n[[ $* != *"$FAIL_AT"* ]]\n'
        )
        tool.chmod(0o755)
        self.tool = tool

    def run(
        self, script: Path, *words: str, fail_at: str = "never", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        path = f"{self.tool.parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", str(script), *words],
            env={"PATH": path, "CALLS": str(self.calls_file), "FAIL_AT": fail_at, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[list[str]]:
        if not self.calls_file.exists():
            return []
        calls = self.calls_file.read_text().split("\0\0")
        return [call.split("\0") for call in calls if call]


@pytest.fixture
def wakame(tmp_path: Path) -> Wakame:
    return Wakame(tmp_path)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / f"{IMAGE.archive_name}.install.sh"
    write_install_script(path, IMAGE)
    return path


def test_both_words_register_everything_in_order(wakame: Wakame, script: Path) -> None:
    done = wakame.run(script, "backupobject", "image")
    assert (done.returncode, done.stderr) == (0, "")
    assert wakame.calls() == [BACKUP_OBJECT, *MACHINE_IMAGE]


def test_each_word_alone(wakame: Wakame, script: Path) -> None:
    assert wakame.run(script, "image").returncode == 0
    assert wakame.calls() == MACHINE_IMAGE
    wakame.calls_file.unlink()
    assert wakame.run(script, "backupobject").returncode == 0
    assert wakame.calls() == [BACKUP_OBJECT]


def test_a_failure_of_vdc_manage_stops_the_script(wakame: Wakame, script: Path) -> None:
    assert wakame.run(script, "backupobject", "image", fail_at="image add").returncode != 0
    assert wakame.calls() == [BACKUP_OBJECT, MACHINE_IMAGE[0]]


def test_help_says_what_the_words_do_and_runs_nothing(wakame: Wakame, script: Path) -> None:
    done = wakame.run(script, "--help")
    assert done.returncode == 0
    for word in ("backupobject", "image", "bo-windows2008r2", IMAGE.archive_name, script.name):
        assert word in done.stdout
    assert wakame.calls() == []


@pytest.mark.parametrize("words", [(), ("backupobject", "imag"), ("--force",)])
def test_wrong_words_are_refused_before_anything_is_done(
    wakame: Wakame, script: Path, words: tuple[str, ...]
) -> None:
    done = wakame.run(script, *words)
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert wakame.calls() == []


def test_without_vdc_manage_it_says_so(wakame: Wakame, script: Path) -> None:
    wakame.tool.unlink()
    done = wakame.run(script, "image")
    assert done.returncode == 1
    assert "no vdc-manage" in done.stderr


def test_another_vdc_manage_may_be_named(wakame: Wakame, script: Path) -> None:
    moved = wakame.folder / "elsewhere"
    wakame.tool.rename(moved)
    assert wakame.run(script, "image", VDC_MANAGE=str(moved)).returncode == 0
    assert wakame.calls() == MACHINE_IMAGE


def test_hostile_names_arrive_as_they_are(wakame: Wakame, tmp_path: Path) -> None:
    name = "win $(touch pwned) `id` \"x\" 'y' \\ ; & | * \n {} 日本.tar.gz"
    path = tmp_path / "install.sh"
    write_install_script(path, replace(IMAGE, archive_name=name, raw_bytes=4100 << 20))
    assert wakame.run(path, "backupobject", "image").returncode == 0
    first, second, *_ = wakame.calls()
    assert f"--object-key={name}" in first
    assert "--display-name=windows2008r2 4100M" in first
    assert f"--description={name} local" in second


def test_bash_and_shellcheck_find_nothing_wrong(script: Path) -> None:
    assert script.stat().st_mode & 0o777 == 0o755
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
