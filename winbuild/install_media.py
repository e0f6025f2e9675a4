"""What goes into the VM's drives for the installation, put together from a build's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from winbuild.errors import MediaError
from winbuild.guest.scripts import floppy_scripts
from winbuild.media.answer_file import (
    AUTOUNATTEND_NAME,
    FIRST_BOOT_NAME,
    AnswerFile,
    first_boot_answer_file,
    install_answer_file,
)
from winbuild.media.sysprep_script import RUN_SYSPREP, SCRIPT_NAME, run_sysprep_cmd
from winbuild.media.virtio_drivers import find_drivers
from winbuild.resources import find_resource, fingerprint
from winbuild.settings import Settings, iso_key
from winbuild.step import StepContext
from winbuild.windows.languages import language
from winbuild.windows.versions import WindowsVersion


def windows_iso(settings: Settings, label: str) -> Path:
    return find_resource(
        settings.isos[label], settings.resources, key=iso_key(label), what="the Windows ISO"
    )


def virtio_iso(settings: Settings) -> Path:
    return find_resource(
        settings.virtio_iso, settings.resources, key="VIRTIOISO", what="the virtio drivers' ISO"
    )


def agent_installer(settings: Settings) -> Path:
    return find_resource(
        settings.zabbix_installer,
        settings.resources,
        key="ZABBIXINSTALLER",
        what="the Zabbix agent's installer",
    )


def find_inputs(settings: Settings, label: str) -> Mapping[str, Callable[[], Path]]:
    """The files that a build is made from, by the names that install-params.toml has them
    under; each is looked for when it is asked for."""
    return {
        "windows": lambda: windows_iso(settings, label),
        "virtio": lambda: virtio_iso(settings),
        "agent": lambda: agent_installer(settings),
    }


def fixed_input(ctx: StepContext, name: str) -> Path:
    """The file that 1-setup-install found. MediaError if it is gone, or another one by now."""
    again = f"to check and fix it anew: {ctx.builddir.command} 1-setup-install --force"
    row = ctx.builddir.params().get("inputs", {}).get(name)
    if row is None:
        raise MediaError(f"no file has been fixed for {name!r} at 1-setup-install", hint=again)
    path = Path(row["path"])
    try:
        found = path.stat()
    except OSError as exc:
        raise MediaError(f"{path}: {exc.strerror}; the build was set up with it") from exc
    same = found.st_size == row["size"]
    if same and found.st_mtime_ns != row.get("mtime_ns"):
        same = fingerprint(path, ctx.ui).sha256 == row["sha256"]
    if not same:
        raise MediaError(f"{path} has changed since 1-setup-install", hint=again)
    return path


def driver_folders(iso: Path, version: WindowsVersion) -> tuple[str, ...]:
    """Folders on the virtio ISO that hold this version's drivers (MediaError if none does)."""
    return find_drivers(iso, version, version.default_architecture).folders


def product_key(settings: Settings, label: str) -> str | None:
    key = settings.keys[label]
    return None if key in ("", "none") else key


def answer_spec(
    settings: Settings, version: WindowsVersion, folders: tuple[str, ...]
) -> AnswerFile:
    return AnswerFile(
        version=version,
        language=language(settings.language),
        administrator_password=RUN_SYSPREP,
        product_key=product_key(settings, version.label),
        image_name=settings.edition or version.default_image_name,
        architecture=version.default_architecture,
        driver_folders=folders,
        time_zone=settings.time_zone or None,
    )


def floppy_files(ctx: StepContext) -> dict[str, bytes]:
    """Name on the floppy -> content: answer files, guest scripts, the agent's installer."""
    installer = fixed_input(ctx, "agent")
    folders = driver_folders(fixed_input(ctx, "virtio"), ctx.version)
    spec = answer_spec(ctx.settings, ctx.version, folders)
    content = {AUTOUNATTEND_NAME: install_answer_file(spec)}
    content |= floppy_scripts()
    content[FIRST_BOOT_NAME] = first_boot_answer_file(spec)
    content[SCRIPT_NAME] = run_sysprep_cmd(spec.product_key, installer.name)
    content[installer.name] = installer.read_bytes()
    return content
