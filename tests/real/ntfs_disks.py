"""Real NTFS volumes and disks for tests, made as any user: mkntfs, wimlib, and bytes."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from winbuild.disk.ntfs_record import (
    VOLUME_INFORMATION,
    attributes,
    parse_boot_sector,
    protect,
    unprotect,
)
from winbuild.disk.partitions import Partition, read_partitions

MIB = 1 << 20

WINDOWS_TREE: Mapping[str, bytes] = {
    "Windows/DtcInstall.log": b"dtc\r\n",
    "Windows/Panther/setupact.log": b"2014-04-01 00:00:00, Info\r\n" * 4000,
    "Windows/Panther/UnattendGC/diagerr.xml": b"<x/>",
    "Windows/Setup/Scripts/SetupComplete.cmd": b"@echo off\r\nrem install\r\n",
    "Windows/Setup/Scripts/SetupComplete-firstboot.cmd": b"@echo off\r\nrem first boot\r\n",
    "Windows/System32/sysprep/Panther/empty.log": b"",
    "Windows/System32/config/SYSTEM": bytes(range(256)) * 1000,
    "Program Files/ZABBIX Agent/zabbix_agentd.conf": b"Server=127.0.0.1\r\n",
    "Größe ß 日本語 😀.txt": "ü".encode(),
}


def run(*argv: str | Path) -> str:
    """A judge's or maker's output; fails the test with what it said if it fails."""
    done = subprocess.run([*map(str, argv)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def make_volume(
    path: Path,
    size_bytes: int,
    files: Mapping[str, bytes] | None = None,
    *,
    links: Mapping[str, str] | None = None,
    cluster_bytes: int = 4096,
    label: str = "System",
    start_sector: int = 2048,
) -> Path:
    """A file with an NTFS volume holding `files` and symbolic `links` (path → target)."""
    path.unlink(missing_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    run("mkntfs", "-F", "-q", "-Q", "-c", str(cluster_bytes), "-L", label, "-s", "512", "-H", "255",
        "-S", "63", "-p", str(start_sector), path)  # fmt: skip
    tree = path.with_name(f"{path.name}.tree")
    for name, content in (files or {}).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    for name, target in (links or {}).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)
    if files or links:
        wim = path.with_name(f"{path.name}.wim")
        # An empty list of exclusions: else hiberfil.sys is left out.
        run("wimcapture", tree, wim, "--compress=none", "--config=/dev/null")
        run("wimapply", wim, "1", path)
    return path


def make_disk(path: Path, *volumes: Path) -> Path:
    """A raw image: MBR, the volumes from 1 MiB on, the first one active; a MiB at the end."""
    table = bytearray(512)
    at = MIB
    with path.open("wb") as stream:
        for slot, volume in enumerate(volumes):
            content = volume.read_bytes()
            struct.pack_into(
                "<B3sB3sII", table, 446 + 16 * slot, 0x80 * (slot == 0), bytes(3), 7, bytes(3),
                at // 512, len(content) // 512,
            )  # fmt: skip
            for offset in range(0, len(content), MIB):
                piece = content[offset : offset + MIB]
                if any(piece):
                    stream.seek(at + offset)
                    stream.write(piece)
            at += -(-len(content) // MIB) * MIB
        stream.truncate(at + MIB)
        table[510:512] = b"\x55\xaa"
        stream.seek(0)
        stream.write(table)
    return path


def extract(image: Path, number: int, dest: Path) -> Path:
    """One partition as a file, for the judges."""
    partition = next(each for each in read_partitions(image) if each.number == number)
    with image.open("rb") as stream:
        stream.seek(partition.start_bytes)
        dest.write_bytes(stream.read(partition.size_bytes))
    return dest


def assert_sound(volume: Path) -> None:
    """ntfs-3g's tools find nothing wrong: the mirror, the boot sectors, each cluster's use."""
    assert "processed successfully" in run("ntfsfix", "-n", volume)
    run("ntfsresize", "--info", "--force", "--no-progress-bar", volume)


def mark_dirty(image: Path, partition: Partition) -> None:
    """Set the flag that Windows sets while it uses a volume, or when chkdsk is due."""
    with image.open("r+b") as stream:
        stream.seek(partition.start_bytes)
        geometry = parse_boot_sector(stream.read(512))
        for start in (geometry.mft_start, geometry.mirror_start):
            at = partition.start_bytes + start + 3 * geometry.record_bytes
            stream.seek(at)
            record = bytearray(unprotect(stream.read(geometry.record_bytes)))
            found = attributes(bytes(record))
            info = next(each for each in found if each.type == VOLUME_INFORMATION)
            record[info.value_offset + 10] |= 1
            stream.seek(at)
            stream.write(protect(bytes(record)))


class qemu_holding:
    """QEMU's storage daemon with the image open for writing, as a VM has it."""

    def __init__(self, image: Path, folder: Path) -> None:
        self._pid_file = folder / "holder.pid"
        name = str(image).replace(",", ",,")
        argv = ["qemu-storage-daemon", "--daemonize", "--pidfile", str(self._pid_file)]
        argv += ["--blockdev", f"driver=file,node-name=disk,filename={name},locking=on"]
        argv += ["--nbd-server", f"addr.type=unix,addr.path={folder / 'nbd'}"]
        argv += ["--export", "type=nbd,id=e,node-name=disk,writable=on"]
        run(*argv)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pid = int(self._pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)
