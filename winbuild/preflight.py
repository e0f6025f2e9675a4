"""What 1-setup-install checks before anything is made: every finding is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from winbuild import settings as settings_module
from winbuild.disk.image import require_space
from winbuild.errors import UsageError, WinbuildError
from winbuild.install_media import driver_folders, find_inputs
from winbuild.media.iso import check_iso
from winbuild.resources import Resource, fingerprint
from winbuild.step import StepContext
from winbuild.windows.versions import labels

HOST_TOOLS = ("qemu-img", "mformat", "mcopy", "ssh-keygen", "tar", "gzip")


class PreflightFailed(WinbuildError):
    """Everything that stands in the way of a build, one line for each."""

    def __init__(self, findings: list[WinbuildError]) -> None:
        lines = [
            finding.message + (f"\n    -> {finding.hint}" if finding.hint else "")
            for finding in findings
        ]
        head = "this build cannot begin:"
        super().__init__("\n  - ".join((head, *lines)))
        self.exit_code = 2 if any(f.exit_code == 2 for f in findings) else 1


def keys_of_label(label: str) -> tuple[str, str]:
    return settings_module.iso_key(label), settings_module.product_key_key(label)


def is_label_key(key: str) -> bool:
    """Whether the setting belongs to one label only (ISO2012, KEY2012 …)."""
    return any(key in keys_of_label(label) for label in labels())


def check_install(ctx: StepContext) -> Mapping[str, Resource]:
    """Check settings, tools, files and space; return the input files with their checksums.

    Raises PreflightFailed with every finding.
    """
    findings: list[WinbuildError] = []
    paths: dict[str, Path] = {}

    def attempt(check: Callable[[], object]) -> None:
        try:
            check()
        except WinbuildError as exc:
            findings.append(exc)

    for tool in (ctx.settings.qemu, *HOST_TOOLS):
        attempt(lambda tool=tool: ctx.host.find(tool))  # type: ignore[misc]
    attempt(lambda: _check_key(ctx))
    for name, find in find_inputs(ctx.settings, ctx.version.label).items():

        def look(name: str = name, find: Callable[[], Path] = find) -> None:
            paths[name] = find()

        attempt(look)
    for name in ("windows", "virtio"):
        if name in paths:
            attempt(lambda name=name: check_iso(paths[name]))  # type: ignore[misc]
    if "virtio" in paths and not findings:
        attempt(lambda: driver_folders(paths["virtio"], ctx.version))
    attempt(lambda: _check_space(ctx))
    if findings:
        raise PreflightFailed(findings)
    return {name: fingerprint(path, ctx.ui) for name, path in paths.items()}


def _check_key(ctx: StepContext) -> None:
    label = ctx.version.label
    key = settings_module.product_key_key(label)
    if not ctx.settings.keys[label]:
        raise UsageError(
            f"{key} is not set: the product key of {ctx.version.name}",
            hint=f"set {key} to the key, or to none for evaluation media",
        )


def _check_space(ctx: StepContext) -> None:
    # The disk is sparse: what Windows fills of it, the same again as the seed image's raw
    # copy, and half of that for each of the three archives. Windows fills about a third of
    # the original's 30 GiB disk (the prototype's disk in the measurements had 9.5 GiB).
    filled = ctx.settings.image_size_bytes // 3
    require_space(ctx.builddir.path, int(filled * 3.5), purpose="build and package the image")
