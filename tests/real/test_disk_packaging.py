"""Archives, checksums and other forms of a disk image, judged by GNU tar, md5sum and qemu-img."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from winbuild.disk.archive import sparse_tar_gz
from winbuild.disk.checksum import md5_file, write_md5_file
from winbuild.disk.convert import gzip_file, to_qcow2
from winbuild.disk.image import create_blank_image
from winbuild.errors import CommandError, DiskError
from winbuild.host import Host
from winbuild.ui import Progress, QuietUi

pytestmark = pytest.mark.real

MIB = 1 << 20


def judge(*argv: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([*map(str, argv)], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def make_image(path: Path, size: int = 160 * MIB, pieces: int = 12, seed: int = 1) -> Path:
    """A sparse image with incompressible data here and there, also at its very ends."""
    create_blank_image(path, size)
    dice = random.Random(seed)
    with path.open("r+b") as stream:
        for at in [0, size - 512, *(dice.randrange(size - MIB) for _ in range(pieces))]:
            stream.seek(at)
            stream.write(dice.randbytes(min(size - at, dice.randrange(1, MIB))))
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_image(tmp_path_factory.mktemp("a 'build', 日本 -x") / "win-2012.raw")


class Counting(QuietUi):
    """Remembers how far the work was said to be."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.done = 0.0

    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> Iterator[Progress]:
        self.total = total
        yield self

    def advance(self, amount: float) -> None:
        assert amount >= 0
        self.done += amount

    def describe(self, text: str) -> None:
        pass


def test_the_md5_file_is_one_that_md5sum_checks(image: Path) -> None:
    ui = Counting()
    checksum = write_md5_file(image, ui)
    assert checksum == hashlib.md5(image.read_bytes(), usedforsecurity=False).hexdigest()
    md5 = image.with_name("win-2012.raw.md5")
    assert md5.read_text() == f"{checksum}  win-2012.raw\n"
    assert judge("md5sum", "-c", md5.name, cwd=image.parent) == "win-2012.raw: OK\n"
    assert ui.done == ui.total == image.stat().st_size


@pytest.mark.parametrize("size", [0, 1, 4097, 3 * MIB + 5])
def test_checksums_of_odd_sizes(tmp_path: Path, size: int) -> None:
    file = tmp_path / "x"
    file.write_bytes(random.Random(size).randbytes(size))
    assert md5_file(file) == hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def test_gnu_tar_unpacks_the_archive_with_its_holes(image: Path, tmp_path: Path) -> None:
    write_md5_file(image)
    ui = Counting()
    dest = tmp_path / "windows 2012's.tar.gz"
    sparse_tar_gz(Host(), dest, [image, image.with_name("win-2012.raw.md5")], ui)
    listed = judge("tar", "-tzvf", dest).splitlines()
    assert [line.split()[-1] for line in listed] == ["win-2012.raw", "win-2012.raw.md5"]
    assert all(line.startswith("-rw-r--r-- root/root") for line in listed)
    (tmp_path / "out").mkdir()
    judge("tar", "-xzSf", dest, "-C", tmp_path / "out")
    judge("cmp", image, tmp_path / "out/win-2012.raw")
    judge("md5sum", "-c", "win-2012.raw.md5", cwd=tmp_path / "out")
    blocks = (tmp_path / "out/win-2012.raw").stat().st_blocks
    assert blocks <= image.stat().st_blocks * 1.05
    assert dest.stat().st_size < blocks * 512 * 1.05
    assert ui.total is not None
    assert 0 <= ui.done <= ui.total < image.stat().st_size / 4


def test_an_empty_image_packs_to_next_to_nothing(tmp_path: Path) -> None:
    create_blank_image(tmp_path / "blank.raw", 30 << 30)
    sparse_tar_gz(Host(), tmp_path / "x.tar.gz", [tmp_path / "blank.raw"], QuietUi())
    assert (tmp_path / "x.tar.gz").stat().st_size < 1000
    assert "32212254720" in judge("tar", "-tzvf", tmp_path / "x.tar.gz")


def test_a_missing_file_is_said_before_anything_is_made(image: Path, tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"gone\.md5 is missing"):
        sparse_tar_gz(Host(), tmp_path / "x.tar.gz", [image, tmp_path / "gone.md5"], QuietUi())
    assert not list(tmp_path.iterdir())


def test_gzip_is_used_where_pigz_is_missing(image: Path, tmp_path: Path) -> None:
    class WithoutPigz(Host):
        def find(self, tool: str) -> str:
            return super().find("no-such-program" if tool == "pigz" else tool)

    gzip_file(WithoutPigz(), image.with_name("win-2012.raw.md5"), tmp_path / "x.gz", QuietUi())
    judge("gzip", "--test", tmp_path / "x.gz")


def test_qcow2_and_its_gzip(image: Path, tmp_path: Path) -> None:
    ui = Counting()
    qcow2 = tmp_path / "windows: 2012, 'x'.qcow2"
    to_qcow2(Host(), image, qcow2, ui)
    judge("qemu-img", "check", qcow2)
    assert "identical" in judge("qemu-img", "compare", "-f", "raw", "-F", "qcow2", image, qcow2)
    assert ui.done <= 100
    gzip_file(Host(), qcow2, tmp_path / "x.gz", ui)
    assert subprocess.run(
        ["gzip", "-dc", tmp_path / "x.gz"], capture_output=True, check=True
    ).stdout == qcow2.read_bytes()  # fmt: skip


def test_a_failing_program_leaves_the_old_file_and_says_why(image: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out.qcow2"
    dest.write_bytes(b"old")
    with pytest.raises(CommandError, match=r"qemu-img exited with 1: .*No such file"):
        to_qcow2(Host(), tmp_path / "no.raw", dest, QuietUi())
    assert [each.name for each in tmp_path.iterdir()] == ["out.qcow2"]
    assert dest.read_bytes() == b"old"


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from winbuild.disk.archive import sparse_tar_gz
from winbuild.errors import CommandError
from winbuild.host import Host
from winbuild.ui import QuietUi
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    sparse_tar_gz(Host(), Path(sys.argv[2]), [Path(sys.argv[1])], QuietUi())
except CommandError as exc:
    print(exc.message)
"""


def test_an_archive_that_cannot_be_written_to_its_end_does_not_appear(
    image: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands for a full disk."""
    said = judge(sys.executable, "-c", _LIMITED, image, tmp_path / "x.tar.gz")
    assert "tar exited with" in said
    assert not list(tmp_path.iterdir())


def _processes_with(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if text in command:
                found.append(command)
    return found


_PACK = """
import sys
from pathlib import Path
from winbuild.disk.archive import sparse_tar_gz
from winbuild.host import Host
from winbuild.ui import QuietUi
sparse_tar_gz(Host(), Path(sys.argv[2]), [Path(sys.argv[1])], QuietUi())
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_packing_that_is_killed_leaves_only_a_partial_file_and_no_process(
    tmp_path: Path, signal_number: int
) -> None:
    image = make_image(tmp_path / "win.raw", size=512 * MIB, pieces=120)
    dest = tmp_path / "out" / "x.tar.gz"
    dest.parent.mkdir()
    partial = dest.with_name(".x.tar.gz.partial")
    winbuild = subprocess.Popen(
        [sys.executable, "-c", _PACK, str(image), str(dest)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 100_000):
        assert winbuild.poll() is None and time.monotonic() < deadline, "nothing was packed"
        time.sleep(0.005)
    os.kill(winbuild.pid, signal_number)
    winbuild.wait(timeout=30)
    while _processes_with(str(partial)):
        assert time.monotonic() < deadline, _processes_with(str(partial))
        time.sleep(0.02)
    left = [partial.name] if signal_number == signal.SIGKILL else []
    assert [each.name for each in dest.parent.iterdir()] == left
    sparse_tar_gz(Host(), dest, [image], QuietUi())
    assert [each.name for each in dest.parent.iterdir()] == [dest.name]
    judge("gzip", "--test", dest)
