"""The metadata disk: what a cloud tells a new Windows instance, as files on a small disk.

10 MiB, MBR, one FAT32 partition labelled METADATA with a folder `meta-data`. The guest's scripts
find it by that label, read it at the first boot, and write `pw.enc` back.
"""

from __future__ import annotations

import ipaddress
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.disk.fat_format import make_fat32
from winbuild.errors import MediaError

DISK_BYTES = 10 * 1024**2
LABEL = "METADATA"
ENCRYPTED_PASSWORD = "pw.enc"
_SECTOR_BYTES = 512
_PARTITION_START = 1024**2
_PARTITION_BYTES = DISK_BYTES - _PARTITION_START
_TYPE_FAT32_LBA = 0x0C
_MAC = re.compile(r"[0-9a-f]{2}(-[0-9a-f]{2}){5}", re.IGNORECASE)
_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_MAX_COMPUTER_NAME = 15  # NetBIOS: what Windows accepts as a computer's name


@dataclass(frozen=True)
class NetworkInterface:
    """A network card's addresses. `mac` with hyphens, the rest in dotted IPv4 form."""

    mac: str
    ipv4: str
    netmask: str
    gateway: str = ""
    dns: str = ""


@dataclass(frozen=True)
class MetaData:
    """What the guest is told. Empty values leave their file out."""

    hostname: str
    public_key: str
    """One line of an OpenSSH public key file, `ssh-rsa ...`."""
    interfaces: tuple[NetworkInterface, ...] = ()
    ipv4: str = ""
    instance_id: str = ""
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    """Name → address, for the guest's hosts file."""
    zabbix_servers: str = ""
    """Addresses with blanks between them."""
    first_boot: bool = False
    auto_activate: bool = False
    activation_proxy: str = ""
    """HOST:PORT, used only with `auto_activate`."""


def metadata_files(meta: MetaData) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files (path → content) and the empty folders of the disk. Raises MediaError with
    every faulty value."""
    faults = list(_faults(meta))
    if faults:
        raise MediaError("the metadata disk cannot be made: " + "; ".join(faults))
    texts = {
        "local-hostname": meta.hostname,
        "public-keys/0/openssh-key": meta.public_key.strip(),
        "local-ipv4": meta.ipv4,
        "instance-id": meta.instance_id,
        "x-monitoring/zabbix-servers": meta.zabbix_servers,
    }
    for card in meta.interfaces:
        folder = f"network/interfaces/macs/{card.mac.lower()}"
        texts[f"{folder}/local-ipv4s"] = card.ipv4
        texts[f"{folder}/x-netmask"] = card.netmask
        texts[f"{folder}/x-gateway"] = card.gateway
        texts[f"{folder}/x-dns"] = card.dns
    for name, address in meta.extra_hosts.items():
        texts[f"extra-hosts/{name}"] = address
    if meta.auto_activate:
        texts["auto-activate/auto-activate-proxy"] = meta.activation_proxy
    files = {f"meta-data/{path}": f"{text}\n".encode() for path, text in texts.items() if text}
    if meta.first_boot:
        files["meta-data/first-boot"] = b""
    folders = ("meta-data", *(("meta-data/auto-activate",) if meta.auto_activate else ()))
    return files, folders


def make_metadata_disk(dest: Path, meta: MetaData, *, when: datetime | None = None) -> None:
    """Write the disk image, replacing `dest`. `when` dates the files (default: now).

    Raises MediaError, before `dest` is touched, if a value is faulty.
    """
    files, folders = metadata_files(meta)
    signature = zlib.crc32(repr(sorted(files.items())).encode()) or 1
    volume = make_fat32(
        _PARTITION_BYTES,
        LABEL,
        files,
        folders=folders,
        hidden_sectors=_PARTITION_START // _SECTOR_BYTES,
        serial=signature,
        when=when or datetime.now(),
    )
    with unfinished(dest) as temp, temp.open("r+b") as stream:
        stream.truncate(DISK_BYTES)
        stream.write(_master_boot_record(signature))
        stream.seek(_PARTITION_START)
        stream.write(volume.rstrip(b"\0"))


def _master_boot_record(signature: int) -> bytes:
    """No boot code. The signature must not be 0: Windows would take the disk for a new one."""
    sector = bytearray(_SECTOR_BYTES)
    struct.pack_into("<I", sector, 440, signature)
    start, count = _PARTITION_START // _SECTOR_BYTES, _PARTITION_BYTES // _SECTOR_BYTES
    # Cylinder, head and sector are not used by anything that reads this; FE FF FF says so.
    no_chs = b"\xfe\xff\xff"
    struct.pack_into("<B3sB3sII", sector, 446, 0, no_chs, _TYPE_FAT32_LBA, no_chs, start, count)
    sector[510:512] = b"\x55\xaa"
    return bytes(sector)


def _faults(meta: MetaData) -> list[str]:
    faults = []
    if not _HOST_LABEL.fullmatch(meta.hostname) or len(meta.hostname) > _MAX_COMPUTER_NAME:
        faults.append(
            f"host name {meta.hostname!r}: letters, digits and hyphens, 15 at most, are possible"
        )
    if len(meta.public_key.split()) < 2 or not meta.public_key.startswith("ssh-rsa "):
        faults.append("public key: must be an OpenSSH RSA key, one line beginning with ssh-rsa")
    macs = [card.mac.lower() for card in meta.interfaces]
    for mac in macs:
        if not _MAC.fullmatch(mac):
            faults.append(f"MAC address {mac!r}: must look like 52-54-00-11-a0-5b")
        elif macs.count(mac) > 1:
            faults.append(f"MAC address {mac!r}: is given twice")
    for what, address in _addresses(meta):
        if not _is_ipv4(address):
            faults.append(f"{what} {address!r}: must be an IPv4 address such as 10.0.2.15")
    for name in meta.extra_hosts:
        if not all(map(_HOST_LABEL.fullmatch, name.split("."))):
            faults.append(f"host name {name!r}: is not possible")
    if any(char in meta.instance_id for char in "\r\n"):
        faults.append(f"instance id {meta.instance_id!r}: must be one line")
    return list(dict.fromkeys(faults))


def _addresses(meta: MetaData) -> list[tuple[str, str]]:
    """Every address that must be valid, and what it is."""
    found = [(f"address of {name}", address) for name, address in meta.extra_hosts.items()]
    found += [("address of a Zabbix server", address) for address in meta.zabbix_servers.split()]
    found += [("address", meta.ipv4)] if meta.ipv4 else []
    for card in meta.interfaces:
        found += [(f"address of {card.mac}", card.ipv4), (f"netmask of {card.mac}", card.netmask)]
        found += [(f"gateway of {card.mac}", card.gateway)] if card.gateway else []
        found += [(f"name server of {card.mac}", server) for server in card.dns.split()]
    return found


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
