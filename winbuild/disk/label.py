"""Sets the label of an NTFS partition in an image, in place and without mounting it.

The label is a resident attribute of file record 3 ($Volume), of which $MFTMirr holds a copy.
"""

from __future__ import annotations

import os
from pathlib import Path

from winbuild.disk import ntfs_record as ntfs
from winbuild.disk.in_use import require_not_in_use
from winbuild.disk.partitions import Partition, require_ntfs
from winbuild.errors import DiskError

MAX_LABEL_UNITS = 32  # UTF-16 code units: what Windows itself accepts
_FORBIDDEN = frozenset('"*/:<>?\\|')


def check_label(label: str) -> None:
    """Raise DiskError unless Windows would take this text as the label of a volume."""
    units = len(label.encode("utf-16-le", "surrogatepass")) // 2
    bad = sorted({char for char in label if char in _FORBIDDEN or ord(char) < 32})
    bad += [char for char in label if 0xD800 <= ord(char) < 0xE000]
    if units > MAX_LABEL_UNITS:
        raise DiskError(f"the volume label {label!r} has {units} characters; NTFS takes 32")
    if bad:
        raise DiskError(f"the volume label {label!r} holds {bad[0]!r}, which Windows forbids there")


def set_ntfs_label(image: Path, partition: Partition, label: str) -> None:
    """Give the NTFS volume in `partition` of `image` another label.

    Nothing is written before everything has been read and found right. Raises
    DiskError, also if a VM uses the image.
    """
    check_label(label)
    require_ntfs(image, partition)
    require_not_in_use(image)
    fd = os.open(image, os.O_RDWR)
    try:
        record, offsets = _relabelled_record(fd, partition, label)
        # The mirror first: if the second write never happens, the record that Windows reads
        # is the old one as a whole. A further try makes both the same again.
        for offset in reversed(offsets):
            os.pwrite(fd, record, offset)
        os.fsync(fd)
    except ntfs.NtfsFormatError as exc:
        raise DiskError(
            f"the label of partition {partition.number} of {image} cannot be set: {exc}",
            hint="check the file system: boot the image and run chkdsk, or use ntfsfix",
        ) from exc
    finally:
        os.close(fd)


def _relabelled_record(fd: int, partition: Partition, label: str) -> tuple[bytes, list[int]]:
    """Record 3 with the new label, ready to be written, and where: in the MFT, then in its
    mirror, in bytes from the start of the image.

    The first four records, of which the mirror has copies, always lie together.
    """
    geometry = ntfs.parse_boot_sector(os.pread(fd, 512, partition.start_bytes))
    size = geometry.record_bytes
    if geometry.volume_bytes > partition.size_bytes:
        raise ntfs.NtfsFormatError("the volume is larger than its partition")
    offsets = []
    for start in (geometry.mft_start, geometry.mirror_start):
        offset = start + ntfs.RECORD_VOLUME * size
        if offset + size > partition.size_bytes:
            raise ntfs.NtfsFormatError("the boot sector points behind the end of the partition")
        offsets.append(partition.start_bytes + offset)
    raw = os.pread(fd, size, offsets[0])
    if len(raw) != size:
        raise ntfs.NtfsFormatError("the image is cut off")
    return ntfs.protect(ntfs.with_volume_name(ntfs.unprotect(raw), label)), offsets
