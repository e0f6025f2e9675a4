"""The choice, with a shell script in QEMU's place; with the real one see tests/real."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from winbuild.errors import HostError
from winbuild.host import Host
from winbuild.vm.accel import AccelChoice, choose_accel, prove_kvm

WORKS = "exit 33"
DIES = "echo 'qemu: warning: odd' >&2; echo 'qemu: error: failed to set MSR' >&2; exit 1"
HANGS = "trap '' TERM; exec sleep 300"
SLOW_WITH_KVM = 'case "$*" in *"-accel kvm"*) sleep 1.1;; esac; exit 33'


def fake_qemu(folder: Path, body: str) -> str:
    """A QEMU that also counts its calls, in the file `calls`."""
    path = folder / "fake-qemu"
    path.write_text(f"#!/bin/sh\necho x >>'{folder}/calls'\n{body}\n")
    path.chmod(0o755)
    return str(path)


def calls(folder: Path) -> int:
    path = folder / "calls"
    return path.read_text().count("x") if path.exists() else 0


def choose(folder: Path, setting: str, body: str) -> AccelChoice:
    return choose_accel(
        Host(),
        setting,  # type: ignore[arg-type]
        binary=fake_qemu(folder, body),
        device=Path("/dev/null"),
        cache_dir=folder / "cache",
    )


def test_kvm_that_works(tmp_path: Path) -> None:
    choice = choose(tmp_path, "auto", WORKS)
    assert choice.accel == "kvm" and "KVM works" in choice.reason
    assert choose(tmp_path, "kvm", WORKS).accel == "kvm"


def test_kvm_that_dies(tmp_path: Path) -> None:
    choice = choose(tmp_path, "auto", DIES)
    assert choice.accel == "tcg"
    assert choice.reason.endswith("exit code 1: qemu: error: failed to set MSR")
    with pytest.raises(HostError, match="failed to set MSR") as caught:
        choose(tmp_path, "kvm", DIES)
    assert caught.value.hint and "ACCEL=tcg" in caught.value.hint


def test_kvm_that_hangs_does_not_hang_winbuild(tmp_path: Path) -> None:
    begun = time.monotonic()
    verdict = prove_kvm(Host(), fake_qemu(tmp_path, HANGS), limit_s=0.5)
    assert time.monotonic() - begun < 5
    assert not verdict.works and "did not get anywhere within" in verdict.reason


def test_kvm_that_is_slower_than_emulation(tmp_path: Path) -> None:
    choice = choose(tmp_path, "auto", SLOW_WITH_KVM)
    assert choice.accel == "tcg" and "slower than emulation" in choice.reason
    insisted = choose(tmp_path, "kvm", SLOW_WITH_KVM)
    assert insisted.accel == "kvm" and "slower than emulation" in insisted.reason


def test_a_verdict_is_kept_while_circumstances_are_the_same(tmp_path: Path) -> None:
    binary = Path(fake_qemu(tmp_path, DIES))

    def again(setting: str = "auto") -> None:
        choose_accel(
            Host(),
            setting,  # type: ignore[arg-type]
            binary=str(binary),
            device=Path("/dev/null"),
            cache_dir=tmp_path / "cache",
        )

    again()
    again()
    assert calls(tmp_path) == 1
    with pytest.raises(HostError):
        again("kvm")  # a person who insists may have mended it
    assert calls(tmp_path) == 2
    os.utime(binary, (1, 1))
    again()
    assert calls(tmp_path) == 3
    (tmp_path / "cache" / "kvm-verdict.json").write_text('{"circumstances": 3')
    again()
    assert calls(tmp_path) == 4


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the folder's place")
    assert choose(tmp_path, "auto", WORKS).accel == "kvm"
    assert choose(tmp_path, "auto", WORKS).accel == "kvm"
    assert calls(tmp_path) == 2


def test_without_a_device_nothing_is_run(tmp_path: Path) -> None:
    missing = tmp_path / "kvm"
    binary = fake_qemu(tmp_path, WORKS)
    choice = choose_accel(Host(), "auto", binary=binary, device=missing, cache_dir=tmp_path)
    assert choice == AccelChoice("tcg", f"this host has no {missing}")
    with pytest.raises(HostError, match="this host has no"):
        choose_accel(Host(), "kvm", binary=binary, device=missing, cache_dir=tmp_path)
    assert calls(tmp_path) == 0


def test_emulation_on_demand_asks_nobody(tmp_path: Path) -> None:
    assert choose(tmp_path, "tcg", WORKS).accel == "tcg"
    assert calls(tmp_path) == 0


def test_qemu_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="not installed"):
        choose_accel(
            Host(), "auto", binary="qemu-none", device=Path("/dev/null"), cache_dir=tmp_path
        )
