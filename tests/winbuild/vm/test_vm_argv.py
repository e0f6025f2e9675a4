from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from winbuild.vm.argv import acceleration_argv, qemu_argv, quoted, vnc_address
from winbuild.vm.spec import Disk, Nic, VmSpec

Golden = Callable[[str, str], None]

INSTALL = VmSpec(
    name="win 2012, ja",
    disks=(Disk(Path("/b/win-2012.raw"), boot_index=0),),
    nic=Nic("52-54-00-11-A0-5B"),
    vnc_display=190,
    accel="tcg",
    floppy=Path("/b/answerfile-floppy.img"),
    cdroms=(Path("/r/Windows, 2012 R2.iso"), Path("/r/virtio-win-0.1-74.iso")),
    keyboard_map="jp106",
    rtc_base="2014-04-01",
    machine="pc-i440fx-7.2",
)

TEST_BOOT = replace(
    INSTALL,
    disks=(
        Disk(Path("/b/win-2012.raw"), boot_index=0),
        Disk(Path("/b/metadata.img"), pci_slot=5, direct_io=False),
    ),
    nic=Nic(
        "52:54:00:11:a0:5b",
        mode="user",
        forwards=((19389, 3389), (19022, 22)),
        pcap=Path("/b,c/qemu-vlan0.pcap"),
    ),
    accel="kvm",
    floppy=None,
    cdroms=(),
    keyboard_map=None,
    rtc_base="localtime",
)


def as_lines(argv: list[str]) -> str:
    """An option and its value on one line."""
    return " ".join(argv).replace(" -", "\n-") + "\n"


@pytest.mark.parametrize(("name", "spec"), [("install", INSTALL), ("test-boot", TEST_BOOT)])
def test_command_line(golden: Golden, name: str, spec: VmSpec) -> None:
    golden(f"vm/argv-{name}.txt", as_lines(qemu_argv(spec)))


def test_the_cds_come_after_the_disk() -> None:
    argv = " ".join(qemu_argv(INSTALL))
    assert "drive=disk0,addr=4,bootindex=0" in argv
    assert "drive=cd0,bus=ide.0,unit=0,bootindex=1" in argv
    assert "drive=cd1,bus=ide.0,unit=1,bootindex=2" in argv


def test_without_a_bootable_disk_the_cd_is_first() -> None:
    argv = " ".join(qemu_argv(replace(INSTALL, disks=())))
    assert "drive=cd0,bus=ide.0,unit=0,bootindex=0" in argv


def test_the_guest_meets_the_same_slots_at_every_boot() -> None:
    def slots(spec: VmSpec) -> set[str]:
        options = [arg for arg in qemu_argv(spec) if ",addr=" in arg or arg.startswith("VGA,")]
        return {
            f"{arg.split(',')[0]} {part}"
            for arg in options
            for part in arg.split(",")
            if part.startswith("addr=")
        }

    assert slots(INSTALL) < slots(TEST_BOOT)
    assert slots(TEST_BOOT) - slots(INSTALL) == {"virtio-blk-pci addr=5"}


def test_nothing_listens_beyond_the_loopback() -> None:
    for spec in (INSTALL, TEST_BOOT):
        argv = qemu_argv(spec)
        assert argv[argv.index("-vnc") + 1] == "127.0.0.1:190"
        assert all("hostfwd=tcp::" not in arg and "0.0.0.0" not in arg for arg in argv)
    assert vnc_address(INSTALL) == "127.0.0.1:6090"


def test_a_comma_is_doubled() -> None:
    assert quoted(Path("/a,b,,c")) == "/a,,b,,,,c"


def test_direct_io_only_where_it_can_be() -> None:
    argv = " ".join(qemu_argv(TEST_BOOT))
    direct, buffered = (part.split(" ")[0] for part in argv.split("node-name=disk")[1:])
    assert "file.cache.direct=on,file.aio=native" in direct
    assert "file.cache.direct=off,file.aio=threads" in buffered


def test_enlightenments_belong_to_kvm_alone() -> None:
    assert any("hv-crash" in arg for arg in acceleration_argv("kvm"))
    assert not any("hv-" in arg for arg in acceleration_argv("tcg"))
