from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from winbuild.disk.fat import FatVolume
from winbuild.disk.partitions import read_partitions
from winbuild.errors import MediaError
from winbuild.media.metadata_disk import MetaData, NetworkInterface, make_metadata_disk

CARD = NetworkInterface("52-54-00-11-a0-5b", "10.0.2.15", "255.255.255.0", "10.0.2.2", "10.0.2.3")
META = MetaData(
    hostname="DEMO1-VM",
    public_key="ssh-rsa AAAAB3NzaC1yc2E= demo\n",
    interfaces=(CARD,),
    ipv4="10.0.2.15",
    instance_id="i-demo1",
    extra_hosts={"repo.example": "10.0.2.100"},
    zabbix_servers="10.0.2.50 10.0.2.51",
)


def files_on(disk: Path) -> dict[str, bytes]:
    found = FatVolume(disk, read_partitions(disk)[0])
    return {
        entry.path.removeprefix("meta-data/"): b"" if entry.is_dir else found.read(entry.path)
        for entry in found.walk("meta-data")
    }


def test_the_disk_is_as_the_guest_expects_it(tmp_path: Path) -> None:
    disk = tmp_path / "metadata.img"
    make_metadata_disk(disk, META)
    assert disk.stat().st_size == 10 * 1024**2
    (partition,) = read_partitions(disk)
    assert (partition.type_code, partition.start_bytes) == ("0c", 1024**2)
    assert FatVolume(disk, partition).label == "METADATA"
    content = files_on(disk)
    assert content["local-hostname"] == b"DEMO1-VM\n"
    assert content["public-keys/0/openssh-key"] == b"ssh-rsa AAAAB3NzaC1yc2E= demo\n"
    mac = "network/interfaces/macs/52-54-00-11-a0-5b"
    assert content[f"{mac}/local-ipv4s"] == b"10.0.2.15\n"
    assert content[f"{mac}/x-netmask"] == b"255.255.255.0\n"
    assert content[f"{mac}/x-gateway"] == b"10.0.2.2\n"
    assert content[f"{mac}/x-dns"] == b"10.0.2.3\n"
    assert content["extra-hosts/repo.example"] == b"10.0.2.100\n"
    assert content["local-ipv4"] == b"10.0.2.15\n"
    assert content["instance-id"] == b"i-demo1\n"
    assert content["x-monitoring/zabbix-servers"] == b"10.0.2.50 10.0.2.51\n"
    assert not {"first-boot", "auto-activate"} & set(content)


def test_options_are_told_by_the_existence_of_files(tmp_path: Path) -> None:
    disk = tmp_path / "metadata.img"
    make_metadata_disk(disk, replace(META, first_boot=True, auto_activate=True))
    assert {"first-boot", "auto-activate"} <= set(files_on(disk))
    make_metadata_disk(disk, replace(META, auto_activate=True, activation_proxy="10.0.2.9:8080"))
    assert files_on(disk)["auto-activate/auto-activate-proxy"] == b"10.0.2.9:8080\n"
    make_metadata_disk(disk, replace(META, activation_proxy="10.0.2.9:8080"))
    assert "auto-activate" not in files_on(disk)


def test_a_card_without_gateway_and_name_server_has_no_such_files(tmp_path: Path) -> None:
    disk = tmp_path / "metadata.img"
    make_metadata_disk(disk, replace(META, interfaces=(replace(CARD, gateway="", dns=""),)))
    assert not any(path.endswith(("x-gateway", "x-dns")) for path in files_on(disk))


def test_the_same_values_give_the_same_disk_and_other_values_another_signature(
    tmp_path: Path,
) -> None:
    def made(meta: MetaData) -> bytes:
        make_metadata_disk(tmp_path / "x", meta, when=datetime(2015, 1, 1))
        return (tmp_path / "x").read_bytes()

    assert made(META) == made(META)
    signatures = {made(META)[440:444], made(replace(META, hostname="OTHER"))[440:444]}
    assert len(signatures) == 2
    assert bytes(4) not in signatures


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"hostname": "has space"}, "host name 'has space'"),
        ({"hostname": "sixteen-chars-xx"}, "15 at most"),
        ({"hostname": ""}, "host name ''"),
        ({"public_key": "AAAA"}, "public key"),
        ({"public_key": "ssh-ed25519 AAAA"}, "public key"),
        ({"ipv4": "10.0.2"}, "'10.0.2'"),
        ({"ipv4": "fe80::1"}, "IPv4"),
        ({"extra_hosts": {"a": "nowhere"}}, "address of a 'nowhere'"),
        ({"extra_hosts": {"../x": "1.2.3.4"}}, "host name '../x'"),
        ({"zabbix_servers": "1.2.3.4 x"}, "Zabbix server 'x'"),
        ({"interfaces": (replace(CARD, mac="52:54:00:11:a0:5b"),)}, "52-54-00-11-a0-5b"),
        ({"interfaces": (CARD, CARD)}, "given twice"),
        ({"interfaces": (replace(CARD, netmask="/24"),)}, "netmask"),
        ({"instance_id": "a\nb"}, "one line"),
    ],
)
def test_wrong_values_are_refused_and_nothing_is_lost(
    tmp_path: Path, wrong: dict[str, object], says: str
) -> None:
    disk = tmp_path / "metadata.img"
    disk.write_bytes(b"old")
    with pytest.raises(MediaError, match=says):
        make_metadata_disk(disk, replace(META, **wrong))  # type: ignore[arg-type]
    assert disk.read_bytes() == b"old"


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"host name .*; public key: .*; address"):
        make_metadata_disk(tmp_path / "x", MetaData(hostname="", public_key="", ipv4="x"))
