"""Misbehaviour on demand."""

from __future__ import annotations

from pathlib import Path

import pytest
from guest_world import Person, World


def test_hang(tmp_path: Path) -> None:
    world = World(tmp_path, hang="specialize")
    world.install()
    assert world.boot() == "stuck"
    assert world.log_lines[-1] == "at specialize"


def test_restart_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path, reboot_loop="oobe")
    world.install()
    assert [world.boot() for _ in range(3)] == ["reboot"] * 3
    world.switches.clear()
    assert world.boot() == "stuck"
    assert "at lock" in world.log_lines


@pytest.mark.parametrize("label", ["2008", "2012"])
def test_blue_screen(tmp_path: Path, label: str) -> None:
    world = World(tmp_path, blue_screen="welcome")
    world.install(label)
    assert world.boot(world.sign_in()) == "stuck"
    red, green, blue = world.screen().getpixel((1000, 20))  # type: ignore[misc]
    assert blue > 100 and blue > green > red - 1
    assert "at desktop" not in world.log_lines


def test_sysprep_failure(tmp_path: Path) -> None:
    world = World(tmp_path, sysprep="fail", powershell="front")
    world.install()

    def person() -> Person:
        yield from world.run_sysprep()

    assert world.boot(person()) == "stuck"
    assert "0x80073cf2" in world.text("C/Windows/System32/sysprep/Panther/setuperr.log")
    assert "at shutdown" not in world.log_lines


def test_unexpected_dialog(tmp_path: Path) -> None:
    world = World(tmp_path, unexpected_dialog="desktop", powershell="front")
    world.install()

    def careless() -> Person:
        yield from world.sign_in()
        yield world.at("desktop")
        yield 2.0
        world.press("enter")
        yield 10.0

    def careful() -> Person:
        yield from world.sign_in()
        yield world.at("desktop")
        yield 8.0
        before = world.screen()
        world.click(700, 400)  # "Later"
        yield 3.0
        assert world.screen() != before, "the dialog is gone"
        world.press("enter")
        yield 10.0

    assert world.boot(careless()) == "reboot"
    assert world.boot(careful()) == "stuck"


def test_slow(tmp_path: Path) -> None:
    times = []
    for name, switches in (("a", {}), ("b", {"slow": "10"})):
        world = World(tmp_path / name, **switches)
        world.install()
        start = world.now

        def person(world: World = world) -> Person:
            yield world.at("lock")

        world.boot(person())
        times.append(world.now - start)
    assert times[1] > 5 * times[0]


def test_extra_restart(tmp_path: Path) -> None:
    world = World(tmp_path, extra_reboot="yes")
    world.install()
    assert world.boot() == "reboot"
    assert world.boot() == "stuck"
    assert "at specialize" not in world.log_lines
    assert "at lock" in world.log_lines
