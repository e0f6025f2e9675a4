"""FAT volumes: ours judged by fsck.fat, and those of mkfs.fat and mtools read by us."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from winbuild.disk.fat import FatVolume
from winbuild.disk.partitions import Partition, read_partitions
from winbuild.media.metadata_disk import MetaData, NetworkInterface, make_metadata_disk

pytestmark = pytest.mark.real

MIB = 1 << 20


def run(*argv: str | Path) -> str:
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
    }
    done = subprocess.run(
        [*map(str, argv)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def test_fsck_finds_nothing_wrong_with_the_metadata_disk(tmp_path: Path) -> None:
    card = NetworkInterface("52-54-00-11-a0-5b", "10.0.2.15", "255.255.255.0", "10.0.2.2")
    hosts = {f"host-{number}.example": f"10.0.3.{number}" for number in range(200)}
    meta = MetaData("DEMO1-VM", "ssh-rsa AAAA x", (card,), extra_hosts=hosts, first_boot=True)
    disk = tmp_path / "metadata.img"
    make_metadata_disk(disk, meta)
    (partition,) = read_partitions(disk)
    volume = tmp_path / "volume"
    volume.write_bytes(disk.read_bytes()[partition.start_bytes :])
    said = run("fsck.fat", "-n", "-v", volume)
    assert "2 FATs, 32 bit entries" in said
    assert f"{volume}: " in said.splitlines()[-1]
    assert "FAT (32 bit)" in run("file", volume)
    assert 'label: "METADATA   "' in run("file", volume)


@pytest.mark.parametrize(
    ("bits", "size_bytes", "options"),
    [
        (12, 1440 * 1024, []),
        (16, 16 * MIB, ["-s", "1"]),
        (32, 40 * MIB, ["-s", "1"]),
        (32, 10 * MIB, ["-s", "1"]),
    ],
)
def test_what_other_tools_have_made_is_read(
    tmp_path: Path, bits: int, size_bytes: int, options: list[str]
) -> None:
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(size_bytes)
    run("mkfs.fat", "-F", str(bits), "-n", "A LABEL", *options, image)
    files: dict[str, bytes] = {}
    if size_bytes != 10 * MIB:  # which mtools does not take
        dice = random.Random(bits)
        files = {
            "PLAIN.TXT": b"plain",
            "lower.txt": b"lower",
            "a folder/A long name, with 'quotes'.txt": dice.randbytes(20_000),
            "a folder/b/日本語.bin": dice.randbytes(777),
            **{f"a folder/number {number}.log": b"%d" % number for number in range(60)},
        }
        tree = tmp_path / "tree"
        for path, content in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content)
        run("mcopy", "-s", "-i", image, *sorted(tree.iterdir()), "::")
    volume = FatVolume(image, Partition(1, 0, size_bytes, "0c", active=False))
    assert volume.label == "A LABEL"
    assert {e.path: volume.read(e.path) for e in volume.walk() if not e.is_dir} == files
