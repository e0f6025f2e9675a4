"""`winbuild doctor`: is this host fit to build, and what would make it so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from winbuild import preflight
from winbuild.errors import WinbuildError
from winbuild.host import Host, known_tools
from winbuild.install_media import find_inputs
from winbuild.settings import Settings, load_settings, product_key_key
from winbuild.ui import Ui
from winbuild.vm.accel import choose_accel
from winbuild.vm.ports import claim_digit
from winbuild.windows.versions import version

GIB = 1 << 30
# Without these a build cannot be walked; the rest of the table serves single commands.
REQUIRED = ("qemu-system-x86_64", *preflight.HOST_TOOLS)


@dataclass(frozen=True)
class Finding:
    """`verdict`: good, note (works, but …) or bad."""

    verdict: str
    what: str
    fact: str
    remedy: str = ""


def examine(label: str | None, *, config: Path | None, ui: Ui) -> list[Finding]:
    """Every finding about this host, and about the files for `label` if one is given."""
    settings = load_settings(ini=config).settings
    if label is not None:
        label = version(label).label
    host = Host()
    findings = [*_tools(host), _recognition(), _acceleration(host, settings)]
    findings += [_space(), _ports()]
    if label is not None:
        findings += _resources(settings, label)
    return findings


def _tools(host: Host) -> Iterator[Finding]:
    for name, tool in known_tools().items():
        try:
            yield Finding("good", name, host.find(name))
        except WinbuildError as exc:
            verdict = "bad" if name in REQUIRED else "note"
            yield Finding(verdict, name, f"missing; needed to {tool.purpose}", exc.hint or "")


def _recognition() -> Finding:
    def warm() -> str:
        from winbuild.screen.catalogue import LANGUAGES
        from winbuild.screen.ocr import Reader

        reader = Reader()
        try:
            reader.warm(LANGUAGES)
        finally:
            reader.close()
        return f"tesseract reads {', '.join(LANGUAGES)}"

    return _attempt("text recognition", warm)


def _acceleration(host: Host, settings: Settings) -> Finding:
    try:
        choice = choose_accel(host, settings.accel, binary=settings.qemu)
    except WinbuildError as exc:
        return Finding("bad", "acceleration", exc.message, exc.hint or "")
    if choice.accel == "kvm":
        return Finding("good", "acceleration", f"KVM works ({choice.reason})")
    return Finding(
        "note",
        "acceleration",
        f"emulation only ({choice.reason})",
        "a build with KVM takes an hour, with emulation many; see that /dev/kvm works for you",
    )


def _space() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    fact = f"{free / GIB:.1f} GiB free here"
    if free < 40 * GIB:
        return Finding("note", "disk space", fact, "a 30G image takes up to 40 GiB to build")
    return Finding("good", "disk space", fact)


def _ports() -> Finding:
    def claim() -> str:
        claimed = claim_digit(0, Path.cwd())
        os.close(claimed.fd)
        return f"free for the next VM, with digit {claimed.digit}"

    return _attempt("ports", claim)


def _resources(settings: Settings, label: str) -> Iterator[Finding]:
    inputs = find_inputs(settings, label)
    yield _attempt(f"Windows ISO for {label}", lambda: str(inputs["windows"]()))
    yield _attempt("virtio drivers", lambda: str(inputs["virtio"]()))
    yield _attempt("Zabbix installer", lambda: str(inputs["agent"]()))
    key = product_key_key(label)
    if settings.keys[label]:
        yield Finding("good", key, "is set")
    else:
        yield Finding("bad", key, "is not set", "the product key, or none for evaluation media")


def _attempt(what: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding("good", what, find())
    except WinbuildError as exc:
        return Finding("bad", what, exc.message, exc.hint or "")
