"""The whole walk hands-free, with winbuild killed in every automated step on the way."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from build_project import Project

from winbuild.disk.ntfs import open_ntfs
from winbuild.disk.partitions import partition_by_number
from winbuild.rehearsal.build import RehearsalMedia
from winbuild.screen.frame import Frame

pytestmark = [pytest.mark.real, pytest.mark.walk]

STEPS = (Path(__file__).parents[1] / "golden/wakame-steps.txt").read_text().split()
SEED = 20150312
# Kills come at a random moment of the first seconds of steps that take that long.
LONGEST_S = {
    "24-wait-for-shutdown": 2.0,
    "26-make-simple-tar-of-image": 2.0,
    "27-package-to-wakame-tgz-image": 1.0,
    "28-package-to-wakame-qcow2-image": 1.0,
}


def kill_in_step(project: Project, step: str, after_s: float) -> bool:
    """Start -do-next, and kill -9 it `after_s` seconds after the step has begun. False if it
    had ended by then."""
    child = subprocess.Popen(
        project.argv("-do-next"),
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while child.poll() is None and not (project.dir / f"doing-{step}").exists():
        time.sleep(0.002)
    time.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    return child.wait() == -signal.SIGKILL


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def check_artefacts(project: Project) -> Path:
    """The artefacts are what the facts say, and their users' programs accept them. Returns the
    raw seed image."""
    seed = project.dir / "final-seed-image"
    stem = "windows2012r2.x86_64"
    raw = seed / f"{stem}.kvm.md.raw"
    qcow2 = re.escape(stem) + r"\.\d{5}\.qcow2(\.md5|\.gz|\.gz\.md5)"
    names = files_of(seed)
    assert names == {
        "win-2012.raw.md5",
        raw.name,
        f"{raw.name}.tar.gz",
        f"{raw.name}.tar.gz.md5",
        f"{raw.name}.tar.gz.install.sh",
        *(name for name in names if re.fullmatch(qcow2, name)),
    }
    assert len(names) == 8
    for argv in (
        ["md5sum", "-c", f"{raw.name}.tar.gz.md5"],
        ["md5sum", "-c", next(n for n in names if n.endswith("qcow2.gz.md5"))],
        ["tar", "tzvf", f"{raw.name}.tar.gz"],
        ["gzip", "-t", next(n for n in names if n.endswith("qcow2.gz"))],
        ["bash", "-n", f"{raw.name}.tar.gz.install.sh"],
    ):
        done = subprocess.run(argv, cwd=seed, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    with open_ntfs(raw, partition_by_number(raw, 1)) as volume:
        assert volume.label == "root"
    script = (seed / f"{raw.name}.tar.gz.install.sh").read_text()
    archive = seed / f"{raw.name}.tar.gz"
    assert f"--size={raw.stat().st_size} " in script
    assert f"--allocation-size={archive.stat().st_size} " in script
    assert (seed / f"{raw.name}.tar.gz.md5").read_text().split()[0] in script
    assert raw.stat().st_blocks * 512 < raw.stat().st_size / 4, "the raw image is not sparse"
    return raw


def check_qcow2(project: Project, scratch: Path) -> None:
    seed = project.dir / "final-seed-image"
    packed = next(seed.glob("*.qcow2.gz"))
    qcow2 = scratch / packed.stem
    qcow2.write_bytes(subprocess.run(["gzip", "-dc", packed], capture_output=True).stdout)
    for argv in (
        ["qemu-img", "check", qcow2],
        ["qemu-img", "compare", qcow2, next(seed.glob("*.raw"))],
        ["md5sum", "-c", seed / f"{qcow2.name}.md5"],
    ):
        done = subprocess.run(argv, cwd=scratch, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    qcow2.unlink()


@pytest.mark.xdist_group("walk-hands-free")
def test_killed_in_every_automated_step_then_packaged_then_booted_again(
    make_media: Callable[..., RehearsalMedia],
    make_project: Callable[..., Project],
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    project = make_project(make_media())
    project.must("0-init", "2012")
    killed = []
    for name in STEPS[1:29]:
        assert project.nextstep == name
        if "-M-" in name:
            project.must("-auto", "--one-step", "--quiet")
            continue
        was_killed = kill_in_step(project, name, chance.uniform(0, LONGEST_S.get(name, 0.02)))
        if was_killed and project.nextstep == name:
            killed.append(name)
            assert f'"interrupted": "{name}"' in project.must("--json")
        if project.nextstep == name:
            project.must("-do-next", "--quiet")
    # Some steps take a few hundredths of a second: one may get away.
    assert len(killed) >= 8, killed
    assert project.nextstep == "1001-gen0-first-boot"
    assert not list(project.dir.rglob(".*.partial"))
    raw = check_artefacts(project)
    check_qcow2(project, tmp_path)

    # What was packaged is what is booted now: the image out of the archive, in place of the
    # one that the build has worked with.
    image = project.dir / "win-2012.raw"
    image.unlink()
    subprocess.run(["tar", "xzSf", f"{raw}.tar.gz", "-C", tmp_path], check=True)
    assert subprocess.run(["cmp", tmp_path / raw.name, raw]).returncode == 0
    (tmp_path / raw.name).rename(image)
    raw.unlink()
    project.must("-auto", "--quiet", timeout_s=1200)
    assert project.nextstep == "1001-gen1-first-boot"
    password = project.must("-pw").strip()
    assert len(password) >= 8 and (project.dir / "pw").stat().st_mode & 0o777 == 0o600
    assert password not in (project.dir / "history.jsonl").read_text()
    names = files_of(project.dir)
    for logs in ("before-1001-gen0-first-boot", "after-1001-gen0-first-boot"):
        assert f"{logs}.tar.gz" in names
    project.must("9999-finalize")
    assert project.nextstep == "finished" and "active" not in files_of(project.dir)


@pytest.mark.xdist_group("walk-by-hand")
def test_japanese_2008(
    make_media: Callable[..., RehearsalMedia], make_project: Callable[..., Project]
) -> None:
    project = make_project(make_media("2008", "ja-JP"), label="2008", language="ja-JP")
    project.must("0-init", "2008")
    project.must("-auto", "--sysprep", "--quiet")
    assert project.nextstep == "26-make-simple-tar-of-image"
    assert "screenshots" in files_of(project.dir)
    listing = project.must("-ls", r"Windows\Setup\Scripts")
    assert "SetupComplete.cmd" in listing and "wakame-init-first-boot.ps1" in listing
    logs = project.dir / "logs-002-after-sysprep.tar.gz"
    listed = subprocess.run(["tar", "tzf", logs], capture_output=True, text=True).stdout
    assert "Windows/System32/sysprep" in listed
    project.must("-updatescripts", "--quiet")
    first = project.must("-get", r"Windows\Setup\Scripts\SetupComplete.cmd", "-")
    assert first == project.must("-get", r"Windows\Setup\Scripts\SetupComplete-firstboot.cmd", "-")


@pytest.mark.xdist_group("walk-by-hand")
def test_a_wait_that_runs_out_and_then_qemu_killed_during_the_install(
    make_media: Callable[..., RehearsalMedia], make_project: Callable[..., Project]
) -> None:
    project = make_project(make_media())
    project.must("0-init", "2012")
    project.must("-auto", "--stop-at", "4-M-wait-for-ctrl-alt-delete-screen", "--quiet")
    too_short = project.run("-auto", "--one-step", "--set", "INSTALLTIMEOUT=8")
    assert too_short.returncode == 1
    assert "waited 8 s for the lock screen" in too_short.stderr
    (evidence,) = (project.dir / "failures").iterdir()
    assert str(evidence) in too_short.stderr
    assert {"error.txt", "screen.png", "screen.txt", "serial.txt", "vm-status.json"} <= files_of(
        evidence
    )
    assert Frame.from_file(evidence / "screen.png").width >= 640
    assert "running" in (evidence / "vm-status.json").read_text()

    pid = int((project.dir / "kvm.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    shown = project.must()
    assert "VM: crashed (killed by signal 9)" in shown
    assert '"state": "crashed"' in project.must("--json")
    for words in (["-done"], ["-auto"]):
        failed = project.run(*words)
        assert failed.returncode == 1
        assert "the VM is gone: killed by signal 9" in failed.stderr
        assert "3-boot-with-install-iso-and-floppy --force" in failed.stderr
    folder = max((project.dir / "failures").iterdir())
    assert {"error.txt", "vm-status.json", "serial.txt"} <= files_of(folder)
    project.must("3-boot-with-install-iso-and-floppy", "--force")
    assert project.nextstep == "4-M-wait-for-ctrl-alt-delete-screen"
    assert '"state": "running"' in project.must("--json")


@pytest.mark.xdist_group("walk-by-hand")
def test_no_room_for_the_build_is_said_before_it_begins(
    make_media: Callable[..., RehearsalMedia], make_project: Callable[..., Project]
) -> None:
    project = make_project(make_media())
    project.must("0-init", "2012")
    failed = project.run("1-setup-install", "--set", "IMAGESIZE=900T")
    assert failed.returncode == 1 and "free" in failed.stderr
    project.must("1-setup-install")
