"""`winbuild answer-file`: an answer file without a build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from winbuild.errors import UsageError
from winbuild.install_media import answer_spec, driver_folders
from winbuild.media.answer_file import first_boot_answer_file, install_answer_file
from winbuild.media.iso import check_product_key
from winbuild.settings import load_settings
from winbuild.windows.languages import language
from winbuild.windows.versions import WindowsVersion, version


def answer_file_for(
    label: str,
    *,
    language_tag: str | None,
    edition: str | None,
    key: str,
    architecture: str | None,
    firmware: str | None,
    virtio_iso: Path | None,
    first_boot: bool,
    config: Path | None,
) -> bytes:
    """The document. What is not given is taken from the settings; the driver folders, without
    a virtio ISO, are all those that this version's drivers are known to lie in."""
    windows = version(label)
    settings = load_settings(ini=config).settings
    folders = windows.driver_folders(architecture or windows.default_architecture)
    if virtio_iso is not None:
        folders = driver_folders(virtio_iso, windows)
    built = answer_spec(settings, windows, folders)
    spec = replace(
        built,
        language=language(language_tag) if language_tag else built.language,
        product_key=_product_key(key, windows, edition),
        image_name=edition or built.image_name,
        architecture=architecture or built.architecture,
        firmware=firmware or built.firmware,
    )
    return first_boot_answer_file(spec) if first_boot else install_answer_file(spec)


def _product_key(key: str, windows: WindowsVersion, edition: str | None) -> str | None:
    if key.lower() != "kms":
        return check_product_key(key)
    name = (edition or windows.default_image_name).removeprefix(windows.image_prefix).strip()
    found = windows.kms_key(name)
    if found is None:
        raise UsageError(f"Microsoft has published no KMS client key for {windows.name} {name}")
    return found
