"""Is an image open in QEMU? Writing to it then would destroy the guest's file system.

QEMU marks what it does with an image by locks on single bytes far inside the file (its
block/file-posix.c: from byte 100 on what it uses, from byte 200 on what it forbids to others; the
second byte of each is writing). The locks are advisory and vanish with the process.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from winbuild.errors import DiskError

_WRITES_BYTE = 101
_FORBIDS_WRITING_BYTE = 201
_FLOCK = struct.Struct("hhqqi4x")  # C's struct flock: type, whence, start, length, pid


def require_not_in_use(image: Path) -> None:
    """Raise DiskError if QEMU has the image open, for writing or such that nobody may write."""
    fd = os.open(image, os.O_RDWR)
    try:
        in_use = any(_is_locked(fd, byte) for byte in (_WRITES_BYTE, _FORBIDS_WRITING_BYTE))
    finally:
        os.close(fd)
    if in_use:
        raise DiskError(
            f"{image} is in use by a VM (or by qemu-img), so it must not be changed from outside",
            hint="shut the guest down, or stop its VM with -kill-kvm, then try again",
        )


def _is_locked(fd: int, byte: int) -> bool:
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
