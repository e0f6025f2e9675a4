"""The proof of acceleration with the real QEMU, whatever this host's KVM is like."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from winbuild.host import Host
from winbuild.vm import accel
from winbuild.vm.accel import PROBE_LIMIT_S, choose_accel, prove_kvm
from winbuild.vm.argv import acceleration_argv

pytestmark = pytest.mark.real


def test_the_tiny_guest_runs_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With emulation in KVM's place: the guest and the exit code are right."""
    monkeypatch.setattr(accel, "acceleration_argv", lambda _: acceleration_argv("tcg"))
    verdict = prove_kvm(Host(), "qemu-system-x86_64")
    assert verdict.works, verdict.reason


def test_the_choice_comes_in_time_and_gives_its_reason(tmp_path: Path) -> None:
    begun = time.monotonic()
    choice = choose_accel(Host(), "auto", cache_dir=tmp_path)
    assert time.monotonic() - begun < 2 * PROBE_LIMIT_S + 2
    assert choice.accel in ("kvm", "tcg") and "KVM" in choice.reason.upper()
    begun = time.monotonic()
    assert choose_accel(Host(), "auto", cache_dir=tmp_path) == choice
    assert time.monotonic() - begun < 0.5


def test_every_enlightenment_is_known_to_qemu() -> None:
    """Its processor has a property of each name (KVM itself may be out of order here)."""
    features = acceleration_argv("kvm")[-1].split(",")[1:]
    listing = Host().run(["qemu-system-x86_64", "-device", "max-x86_64-cpu,help"], timeout_s=30)
    known = {line.strip().partition("=")[0] for line in listing.text.splitlines()}
    assert {feature.partition("=")[0] for feature in features} <= known
