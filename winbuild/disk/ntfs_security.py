"""Access rights of the files that winbuild creates in a Windows partition.

ntfs-3g grants everyone full access to a new file. What winbuild puts there are scripts which
Windows runs as SYSTEM, so they are given to the Administrators, of which SYSTEM is one.
Formats: [MS-DTYP] 2.4.2 SID, 2.4.4 ACE, 2.4.5 ACL, 2.4.6 SECURITY_DESCRIPTOR.
"""

from __future__ import annotations

import struct
from pathlib import Path

from winbuild.disk import ntfs_record
from winbuild.disk.ntfs import NtfsVolume
from winbuild.errors import DiskError

_ADMINISTRATORS = struct.pack("<BB6sII", 1, 2, b"\0\0\0\0\0\5", 32, 544)  # S-1-5-32-544
_FULL_ACCESS = 0x1F01FF
_SELF_RELATIVE_WITH_DACL = 0x8004
_HEADER_BYTES = 20
_ACL_HEADER_BYTES = 8


def administrators_only(length: int) -> bytes:
    """A self-relative security descriptor of exactly `length` bytes (68 at least).

    Owner, group and the only ones with access are the Administrators. What is left over is
    unused room inside the access list.
    """
    ace = struct.pack("<BBHI", 0, 0, 8 + len(_ADMINISTRATORS), _FULL_ACCESS) + _ADMINISTRATORS
    acl_offset = _HEADER_BYTES + len(_ADMINISTRATORS)
    acl_length = length - acl_offset
    if acl_length < _ACL_HEADER_BYTES + len(ace):
        raise ValueError(f"{length} bytes do not hold the security descriptor")
    owner = _HEADER_BYTES
    header = struct.pack("<BBHIIII", 1, 0, _SELF_RELATIVE_WITH_DACL, owner, owner, 0, acl_offset)
    acl = struct.pack("<BBHHH", 2, 0, acl_length, 1, 0) + ace
    return header + _ADMINISTRATORS + acl.ljust(acl_length, b"\0")


def restrict_access(partition_file: Path, volume: NtfsVolume, path: str) -> None:
    """Give the new file `path` to the Administrators alone.

    `partition_file` is the file which `volume` reads, from offset 0. The descriptor that
    ntfs-3g has made is overwritten in place, in its own length.
    """
    offset = volume.record_offset(volume.entry(path).record_number)
    with partition_file.open("r+b") as stream:
        stream.seek(offset)
        try:
            record = ntfs_record.unprotect(stream.read(volume.record_bytes))
            changed = _with_descriptor(record)
        except ValueError as exc:
            raise DiskError(f"the access rights of {path} cannot be set: {exc}") from exc
        stream.seek(offset)
        stream.write(ntfs_record.protect(changed))


def _with_descriptor(record: bytes) -> bytes:
    for attribute in ntfs_record.attributes(record):
        if attribute.type == ntfs_record.SECURITY_DESCRIPTOR and attribute.resident:
            start = attribute.value_offset
            new = administrators_only(len(attribute.value))
            return record[:start] + new + record[start + len(new) :]
    raise ValueError("the file has no security descriptor of its own")
