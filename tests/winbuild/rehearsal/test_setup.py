"""Setup's judgement of answer files, drivers, disks and images, on a machine made of folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from setup_world import GIB, SetupWorld, answer_file, make_wim

from winbuild.rehearsal.guest.system import HardDisk

READY = "at setup-disk"
KMS_DATACENTER = "W3GGN-FT8W3-Y4M27-J84CP-Q3VJ9"


@pytest.fixture(scope="module")
def wim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wim(tmp_path_factory.mktemp("wim"))


@pytest.fixture
def world(tmp_path: Path, wim: Path) -> SetupWorld:
    world = SetupWorld(tmp_path, wim, hang="setup-disk")
    world.put("A/Autounattend.xml", answer_file())
    return world


def test_a_good_answer_file_leads_to_the_disk(world: SetupWorld) -> None:
    assert world.run_setup() == READY
    assert "image 2: Windows Server 2012 R2 SERVERSTANDARD" in world.log_lines


def test_without_answer_file_it_waits_on_the_first_page(world: SetupWorld) -> None:
    world.file("A/Autounattend.xml").unlink()
    assert world.run_setup() == "no answer file on any removable medium"
    assert len(world.screen().getcolors(1 << 20) or []) > 10


@pytest.mark.parametrize(
    "place", ["A/AUTOUNATTEND.XML", "D/autounattend.xml", "E/AutoUnattend.xml"]
)
def test_the_answer_file_may_lie_on_any_medium_in_any_case(world: SetupWorld, place: str) -> None:
    world.file("A/Autounattend.xml").rename(world.file(place))
    assert world.run_setup() == READY


def test_the_floppy_is_looked_at_first(world: SetupWorld) -> None:
    world.put("D/Autounattend.xml", b"rubbish")
    assert world.run_setup() == READY


def test_an_answer_file_in_a_folder_does_not_count(world: SetupWorld) -> None:
    (world.file("A/x")).mkdir()
    world.file("A/Autounattend.xml").rename(world.file("A/x/Autounattend.xml"))
    assert world.run_setup().startswith("no answer file")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("</unattend>", "", "unattend-file"),
        ("schemas-microsoft-com:unattend", "schemas-example:unattend", "unattend-file"),
        ('pass="windowsPE"', 'pass="windowsPe"', "unattend"),
        ('name="Microsoft-Windows-Setup"', 'name="Microsoft-Windows-Setups"', "unattend"),
        ("<UserData>", "<UserDatum/><UserData>", "unattend"),
        ('versionScope="nonSxS"', 'versionScope="SxS"', "unattend"),
        ("<WillWipeDisk>true", "<WillWipeDisk>yes", "unattend"),
        ("<Size>350", "<Size>much", "unattend"),
        ("<Type>Primary", "<Type>Primary2", "unattend"),
        ("/IMAGE/NAME", "/IMAGE/NAMES", "unattend"),
        ("<Order>2</Order>", "<Order>4</Order>", "unattend"),
        ("<AcceptEula>true", "<AcceptEula>false", "license"),
        ("SERVERSTANDARD<", "SERVERSTANDART<", "license"),
        ("<InstallTo>", "<InstallTo><PartitionID>3</PartitionID>", "disk"),
        ("<DiskID>0</DiskID>", "<DiskID>1</DiskID>", "disk"),
        ("<Active>true</Active>", "", "disk"),
        ("<Size>350", "<Size>350000", "disk-small"),
    ],
)  # fmt: skip
def test_what_setup_cannot_use(world: SetupWorld, old: str, new: str, key: str) -> None:
    text = answer_file().decode()
    assert old in text, "the answer file has changed: change this test"
    world.put("A/Autounattend.xml", text.replace(old, new))
    assert world.run_setup().startswith(f"setup.error.{key}: ")
    assert READY not in world.log_lines


def test_components_for_another_architecture_are_passed_over(world: SetupWorld) -> None:
    text = (
        answer_file()
        .decode()
        .replace('processorArchitecture="amd64"', 'processorArchitecture="x86"')
    )
    world.put("A/Autounattend.xml", text)
    # Nothing is left then, not even a language.
    assert world.run_setup() == "the media have no texts in None"


def test_what_this_setup_does_not_act_on_is_logged(world: SetupWorld) -> None:
    text = answer_file().decode().replace("<UserData>", "<RunSynchronous/><UserData>")
    world.put("A/Autounattend.xml", text)
    assert world.run_setup() == READY
    assert "RunSynchronous of the pass windowsPE is passed over" in world.log_lines


def test_no_driver_for_the_disk(world: SetupWorld) -> None:
    world.put("A/Autounattend.xml", answer_file(driver_folders=()))
    assert world.run_setup().startswith("setup.error.no-drives: ")


def test_one_good_driver_folder_among_missing_ones_is_enough(world: SetupWorld) -> None:
    folders = (r"nowhere\at\all", r"viostor\2k12R2\amd64")
    world.put("A/Autounattend.xml", answer_file(driver_folders=folders, driver_letters="DEFG"))
    assert world.run_setup() == READY


@pytest.mark.parametrize("folder", [r"viostor\w10\x86", r"vioscsi\2k12R2\amd64"])
def test_a_driver_of_another_kind_does_not_help(world: SetupWorld, folder: str) -> None:
    world.put("A/Autounattend.xml", answer_file(driver_folders=(folder,)))
    assert world.run_setup().startswith("setup.error.no-drives: ")


def test_a_driver_needs_its_program(world: SetupWorld) -> None:
    world.file("E/viostor/2k12R2/amd64/viostor.sys").unlink()
    assert world.run_setup().startswith("setup.error.no-drives: ")


def test_a_disk_that_windows_knows_needs_no_driver(world: SetupWorld) -> None:
    world.put("A/Autounattend.xml", answer_file(driver_folders=()))
    world.disk = HardDisk(Path("/dev/sda"), 30 * GIB, None)
    assert world.run_setup() == READY


def test_a_disk_too_small_for_the_image(world: SetupWorld) -> None:
    world.disk = replace(world.disk, size_bytes=600 << 20)
    assert world.run_setup().startswith("setup.error.disk-small: ")


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("D2N9P-3P6X9-2R39C-7RTCD-MDVJX", READY),
        ("XXXXX-XXXXX", "setup.error.key: the product key is malformed"),
    ],
)
def test_product_keys(world: SetupWorld, key: str, wanted: str) -> None:
    world.put("A/Autounattend.xml", answer_file(product_key=key))
    assert world.run_setup() == wanted


def test_a_key_of_another_edition(world: SetupWorld) -> None:
    world.media = {**world.media, "product_keys": {KMS_DATACENTER: "ServerDatacenter"}}
    world.put("A/Autounattend.xml", answer_file(product_key=KMS_DATACENTER))
    assert world.run_setup().startswith("setup.error.no-images: ")


def test_an_image_by_its_index(world: SetupWorld) -> None:
    world.put("A/Autounattend.xml", answer_file(image_index=4))
    assert world.run_setup() == READY
    assert "image 4: Windows Server 2012 R2 SERVERDATACENTER" in world.log_lines


def test_a_language_that_the_media_do_not_have(world: SetupWorld) -> None:
    world.put("A/Autounattend.xml", answer_file(tag="ja-JP"))
    assert world.run_setup() == "the media have no texts in ja-JP"


def test_the_password_is_not_in_the_log(world: SetupWorld) -> None:
    world.run_setup()
    assert not [line for line in world.log_lines if "a:run-sysprep" in line]
