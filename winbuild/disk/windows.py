"""Finds the partition that Windows is installed on."""

from __future__ import annotations

from pathlib import Path

from winbuild.disk.ntfs import open_ntfs
from winbuild.disk.partitions import Partition, read_partitions
from winbuild.errors import DiskError


def windows_partition(image: Path) -> Partition:
    """The NTFS partition with a folder `Windows`. (The Wakame walk makes it partition 2.)

    Raises DiskError if there is none, saying what there is.
    """
    found = []
    for partition in read_partitions(image):
        try:
            with open_ntfs(image, partition) as volume:
                if volume.exists("Windows"):
                    return partition
                found.append(f"{partition.number}: NTFS without a folder Windows")
        except DiskError as exc:
            found.append(f"{partition.number}: {exc.message}")
    listed = "; ".join(found) or "no partition at all"
    raise DiskError(f"no partition of {image} has Windows on it ({listed})")
