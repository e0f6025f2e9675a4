"""Screen and keyboard on a real QEMU, with guests of one sector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_guests as guests

from winbuild.deadline import Deadline
from winbuild.errors import VmError
from winbuild.host import Host
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.keyboard import Keyboard
from winbuild.screen.screen import Screen
from winbuild.vm import files
from winbuild.vm.vm import Vm

pytestmark = pytest.mark.real

PRINTABLE = "".join(chr(code) for code in range(32, 127))

# Text mode; prints the message at its end; then for ever: wait for a key (BIOS function 16h),
# send its character to the serial port, and show it.
ASKS_FOR_A_KEY = (
    bytes.fromhex(
        "b80300 cd10 31c0 8ed8 be2b7c ac 84c0 7409 b40e bb0700 cd10 ebf2"
        "31c0 cd16 baf803 ee b40e bb0700 cd10 ebef"
    )
    + b"Press any key to boot from CD or DVD.....\0"
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "a 'deep', 場所"
    yield path
    for found in tmp_path.rglob(files.LOCK):
        Vm(found.parent, Host()).kill()


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.load(languages=["en"])


def test_a_prompt_is_seen_and_every_character_typed_at_it_arrives(
    run_dir: Path, catalogue: Catalogue
) -> None:
    vm = guests.start(run_dir, ASKS_FOR_A_KEY)
    screen = Screen(vm, catalogue)
    sighting = screen.wait_for("boot.press-any-key", deadline=Deadline(30))
    assert sighting.score > 0.9

    Keyboard(vm, "us").type_text(PRINTABLE)
    guests.wait_until(lambda: len(vm.serial_tail(200)) >= len(PRINTABLE), "95 characters")
    assert vm.serial_tail(200).endswith(PRINTABLE)


def test_a_firmware_without_anything_to_boot_ends_a_wait(
    run_dir: Path, catalogue: Catalogue
) -> None:
    run_dir.mkdir()
    blank = run_dir / "blank.img"
    blank.write_bytes(bytes(guests.IMAGE_BYTES))
    vm = guests.start_vm(Host(), run_dir, guests.spec(blank))
    with pytest.raises(
        VmError, match="nothing can be booted, instead of the lock screen"
    ) as caught:
        Screen(vm, catalogue).wait_for("logon.ctrl-alt-delete", deadline=Deadline(60))
    assert "No bootable device" in (caught.value.hint or "")


def test_a_power_off_ends_a_wait(run_dir: Path, catalogue: Catalogue) -> None:
    vm = guests.start(run_dir, guests.POWER_OFF)
    with pytest.raises(VmError, match="the VM is not running any more: shutdown"):
        Screen(vm, catalogue).wait_for("desktop.ready", deadline=Deadline(60))
