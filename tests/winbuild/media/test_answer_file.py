"""The answer files: golden files, their structure, and values that are hard on XML."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.errors import MediaError, UsageError
from winbuild.media.answer_file import AnswerFile, first_boot_answer_file, install_answer_file
from winbuild.windows.languages import language
from winbuild.windows.versions import version

NS = "{urn:schemas-microsoft-com:unattend}"
WCM = "{http://schemas.microsoft.com/WMIConfig/2002/State}"

KEY = "BCDFG-HJKMN-PQRTV-WXY23-46789"

# Pass → component → the settings that it has there, by Microsoft's unattended reference.
SCHEMA = {
    "windowsPE": {
        "Microsoft-Windows-International-Core-WinPE": {
            "SetupUILanguage",
            "InputLocale",
            "LayeredDriver",
            "SystemLocale",
            "UILanguage",
            "UILanguageFallback",
            "UserLocale",
        },
        "Microsoft-Windows-PnpCustomizationsWinPE": {"DriverPaths"},
        "Microsoft-Windows-Setup": {"DiskConfiguration", "ImageInstall", "UserData"},
    },
    "generalize": {"Microsoft-Windows-Security-SPP": {"SkipRearm"}},
    "specialize": {
        "Microsoft-Windows-Deployment": {"RunSynchronous"},
        "Microsoft-Windows-Shell-Setup": {"ComputerName"},
    },
    "oobeSystem": {
        "Microsoft-Windows-International-Core": {
            "InputLocale",
            "SystemLocale",
            "UILanguage",
            "UILanguageFallback",
            "UserLocale",
        },
        "Microsoft-Windows-Shell-Setup": {"OOBE", "TimeZone", "UserAccounts"},
    },
}
LIST_ITEMS = {
    "CreatePartition",
    "Disk",
    "MetaData",
    "ModifyPartition",
    "PathAndCredentials",
    "RunSynchronousCommand",
}
PASS_ORDER = ["windowsPE", "generalize", "specialize", "oobeSystem"]


def spec(label: str = "2012", tag: str = "ja-JP", **changes: object) -> AnswerFile:
    row = version(label)
    plain = AnswerFile(
        version=row,
        language=language(tag),
        administrator_password="a:run-sysprep",
        driver_folders=row.driver_folders("amd64"),
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def texts(document: bytes, path: str) -> list[str | None]:
    """The texts of all elements at a path such as `OOBE/HideEULAPage`, anywhere."""
    steps = "/".join(f"{NS}{step}" for step in path.split("/"))
    return [element.text for element in ET.fromstring(document).iterfind(f".//{steps}")]


@pytest.mark.parametrize("tag", ["en-US", "ja-JP"])
@pytest.mark.parametrize("label", ["2008", "2012"])
@pytest.mark.parametrize("kind", ["install", "first-boot"])
def test_answer_files_are_as_agreed(
    label: str, tag: str, kind: str, golden: Callable[[str, bytes], None]
) -> None:
    make = install_answer_file if kind == "install" else first_boot_answer_file
    golden(f"answer_files/{kind}-{label}-{tag}.xml", make(spec(label, tag, product_key=KEY)))


@pytest.mark.parametrize("label", ["2008", "2012"])
@pytest.mark.parametrize("tag", ["en-US", "ja-JP", "de-DE"])
@pytest.mark.parametrize("make", [install_answer_file, first_boot_answer_file])
def test_every_setting_is_in_a_pass_and_component_that_has_it(
    label: str, tag: str, make: Callable[[AnswerFile], bytes]
) -> None:
    document = make(spec(label, tag, product_key=KEY))
    root = ET.fromstring(document)
    assert root.tag == f"{NS}unattend"
    passes = [settings.get("pass") for settings in root]
    assert passes == [name for name in PASS_ORDER if name in passes]
    for settings in root:
        assert settings.tag == f"{NS}settings"
        components = SCHEMA[settings.attrib["pass"]]
        names = [component.attrib["name"] for component in settings]
        assert len(set(names)) == len(names)
        for component in settings:
            assert component.attrib == {
                "name": component.attrib["name"],
                "processorArchitecture": "amd64",
                "publicKeyToken": "31bf3856ad364e35",
                "language": "neutral",
                "versionScope": "nonSxS",
            }
            children = {child.tag.removeprefix(NS) for child in component}
            assert children and children <= components[component.attrib["name"]]


def test_every_item_of_a_list_is_marked_to_be_added() -> None:
    root = ET.fromstring(install_answer_file(spec()))
    for element in root.iter():
        is_item = element.tag.removeprefix(NS) in LIST_ITEMS
        assert (element.get(f"{WCM}action") == "add") == is_item


def test_driver_paths_do_not_depend_on_the_drive_letter_and_have_unique_keys() -> None:
    document = install_answer_file(spec(driver_folders=(r"viostor\2k12R2\amd64", r"WIN8\AMD64")))
    paths = texts(document, "PathAndCredentials/Path")
    assert paths == [
        rf"{letter}:\{folder}"
        for folder in (r"viostor\2k12R2\amd64", r"WIN8\AMD64")
        for letter in "DEFG"
    ]
    entries = ET.fromstring(document).iter(f"{NS}PathAndCredentials")
    keys = [entry.get(f"{WCM}keyValue") for entry in entries]
    assert len(set(keys)) == len(paths) and None not in keys


def test_without_drivers_there_is_no_component_for_them() -> None:
    assert b"PnpCustomizations" not in install_answer_file(spec(driver_folders=()))


def test_the_disk_is_wiped_and_split_into_boot_and_system() -> None:
    document = install_answer_file(spec())
    assert texts(document, "Disk/WillWipeDisk") == ["true"]
    assert texts(document, "CreatePartition/Size") == ["350"]
    assert texts(document, "CreatePartition/Extend") == ["true"]
    assert texts(document, "CreatePartition/Type") == ["Primary", "Primary"]
    assert texts(document, "ModifyPartition/Label") == ["Boot", "System"]
    assert texts(document, "ModifyPartition/Format") == ["NTFS", "NTFS"]
    active = ET.fromstring(document).findall(f".//{NS}ModifyPartition[{NS}Active='true']")
    assert [part.findtext(f"{NS}PartitionID") for part in active] == ["1"]
    assert texts(document, "InstallTo/PartitionID") == ["2"]


def test_for_uefi_windows_is_the_last_of_three_partitions() -> None:
    document = install_answer_file(spec(firmware="uefi"))
    assert texts(document, "CreatePartition/Type") == ["EFI", "MSR", "Primary"]
    assert texts(document, "InstallTo/PartitionID") == ["3"]
    assert texts(document, "ModifyPartition/Active") == []


def test_the_image_is_chosen_by_name_or_by_index() -> None:
    assert texts(install_answer_file(spec()), "MetaData/*") == [
        "/IMAGE/NAME",
        "Windows Server 2012 R2 SERVERSTANDARD",
    ]
    named = install_answer_file(spec(image_name="Windows Server 2012 R2 SERVERDATACENTER"))
    assert texts(named, "MetaData/Value") == ["Windows Server 2012 R2 SERVERDATACENTER"]
    by_index = install_answer_file(spec(image_index=2))
    assert texts(by_index, "MetaData/*") == ["/IMAGE/INDEX", "2"]


def test_without_a_key_there_is_no_key_element() -> None:
    assert texts(install_answer_file(spec(product_key=KEY)), "ProductKey/Key") == [KEY]
    document = install_answer_file(spec(product_key=None))
    assert texts(document, "ProductKey/Key") == []
    assert texts(document, "ProductKey/WillShowUI") == ["OnError"]


def test_setup_asks_only_where_something_went_wrong() -> None:
    answers = texts(install_answer_file(spec()), "WillShowUI")
    assert answers == ["OnError"] * 3


def test_the_scripts_are_copied_in_specialize_and_a_failure_counts() -> None:
    document = install_answer_file(spec())
    assert texts(document, "RunSynchronousCommand/Path") == [
        r"cmd.exe /c A:\FinalStepsForInstall.cmd"
    ]
    assert texts(document, "RunSynchronousCommand/WillReboot") == ["OnRequest"]


def test_the_japanese_keyboard_driver_is_for_japanese_only() -> None:
    assert texts(install_answer_file(spec(tag="ja-JP")), "LayeredDriver") == ["6"]
    assert texts(install_answer_file(spec(tag="ja-JP")), "UILanguageFallback")[0] == "en-US"
    assert texts(install_answer_file(spec(tag="en-US")), "LayeredDriver") == []


def test_a_first_boot_asks_nothing_and_saves_the_rearm() -> None:
    document = first_boot_answer_file(spec(administrator_password="Initial-1"))
    assert texts(document, "SkipRearm") == ["1"]
    assert texts(document, "OOBE/HideEULAPage") == ["true"]
    assert texts(document, "AdministratorPassword/Value") == ["Initial-1"]
    assert b"RunSynchronous" not in document and b"DiskConfiguration" not in document


def test_a_first_boot_file_holds_no_product_key() -> None:
    assert KEY.encode() not in first_boot_answer_file(spec(product_key=KEY))


def test_a_version_is_not_installed_on_what_it_does_not_know() -> None:
    with pytest.raises(UsageError, match="firmware 'uefi'"):
        spec("2008", firmware="uefi")
    with pytest.raises(UsageError, match="architecture 'x86'"):
        spec("2012", architecture="x86")


@given(
    st.text(
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
        min_size=1,
    )
)
def test_any_text_arrives_as_it_was_given(text: str) -> None:
    document = install_answer_file(spec(administrator_password=text, full_name=text))
    assert texts(document, "AdministratorPassword/Value") == [text]
    assert texts(document, "UserData/FullName") == [text]


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\0", "a\tb", "\ud800", "\uffff"])
def test_what_xml_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(MediaError, match="FullName would hold a control character"):
        install_answer_file(spec(full_name=text))


def test_secrets_do_not_show_in_messages_about_a_spec() -> None:
    shown = repr(spec(product_key=KEY, administrator_password="S3cret!"))
    assert KEY not in shown and "S3cret!" not in shown
