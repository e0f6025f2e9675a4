"""Settings: command line > environment > windows-image-build.ini > default.

Every setting is one row of the schema below: its key (the name in the file and of the
environment variable), how it is read, its default and its explanation. The INI file that
ships with winbuild is generated from the same rows (`winbuild.ini_file`), so the two cannot
drift apart. All faults are reported at once.

Keys, defaults and their meaning come from the original tool (2015), as far as it had them.
"""

from __future__ import annotations

import configparser
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from winbuild import setting_kinds as kinds
from winbuild.errors import ConfigError
from winbuild.setting_kinds import Kind
from winbuild.windows.versions import labels

INI_NAME = "windows-image-build.ini"


@dataclass(frozen=True)
class Option:
    """One row of the schema. `frozen`: fixed for a build at 1-setup-install."""

    key: str
    kind: Kind
    default: str
    section: str
    doc: str
    frozen: bool = False
    secret: bool = False


def _option(
    key: str, kind: Kind, default: str, section: str, doc: str, *, frozen: bool = False
) -> Any:
    return field(
        default_factory=lambda: kind.parse(default),
        metadata={"option": Option(key, kind, default, section, doc, frozen)},
    )


@dataclass(frozen=True)
class Settings:
    """All settings, parsed. Sizes in bytes, times in seconds, see each row's explanation."""

    # -- what is installed ---------------------------------------------------------------
    language: str = _option(
        "LANGUAGE",
        kinds.LANGUAGE,
        "en-US",
        "install",
        "Language of the installed Windows; the ISO must have it.",
        frozen=True,
    )
    keyboard: str = _option(
        "KEYBOARD",
        kinds.KEYBOARD,
        "",
        "install",
        "Keyboard that -auto types on: us, jp106 or de. Empty: the one that goes with LANGUAGE.",
        frozen=True,
    )
    edition: str = _option(
        "EDITION",
        kinds.TEXT,
        "",
        "install",
        "Image NAME in the ISO's install.wim. Empty: the standard edition of the label.",
        frozen=True,
    )
    time_zone: str = _option(
        "TIMEZONE",
        kinds.TEXT,
        "",
        "install",
        "Time zone by Windows' own name, such as Tokyo Standard Time. Empty: the one that goes\n"
        "with LANGUAGE.",
        frozen=True,
    )
    image_size_bytes: int = _option(
        "IMAGESIZE",
        kinds.SIZE,
        "30G",
        "install",
        "Size of the new disk: a number with K, M, G or T (powers of 1024).",
        frozen=True,
    )
    install_mac: str = _option(
        "INSTALLMAC",
        kinds.MAC,
        "52-54-00-11-a0-5b",
        "install",
        "MAC address of the network card during the installation.",
        frozen=True,
    )
    install_date: str = _option(
        "INSTALLDATE",
        kinds.RTC,
        "2014-04-01",
        "install",
        "Clock of the VM during the installation: a date (later than every file of the media)\n"
        "or localtime for now.",
        frozen=True,
    )
    virtio_iso: str = _option(
        "VIRTIOISO",
        kinds.TEXT,
        "virtio-win-0.1-74.iso",
        "install",
        "ISO with the virtio drivers, in RESOURCES or as a path.",
        frozen=True,
    )
    zabbix_installer: str = _option(
        "ZABBIXINSTALLER",
        kinds.TEXT,
        "zabbix_agent-1.8.15-1.JP_installer.exe",
        "install",
        "Installer of the Zabbix agent, in RESOURCES or as a path. It goes on the floppy.",
        frozen=True,
    )
    # -- where things are ----------------------------------------------------------------
    resources: Path = _option(
        "RESOURCES",
        kinds.FOLDER,
        "resources",
        "folders",
        "Folder that ISOs and installers are looked for in.",
    )
    plans: str = _option(
        "PLANS",
        kinds.TEXT,
        "",
        "folders",
        "Folders with plans of your own, separated by colons; each plan is a folder of steps.",
    )
    # -- the virtual machine -------------------------------------------------------------
    qemu: str = _option(
        "KVM_BINARY", kinds.TEXT, "qemu-system-x86_64", "vm", "QEMU's program, or its path."
    )
    accel: Literal["auto", "kvm", "tcg"] = _option(
        "ACCEL",
        kinds.choice("auto", "kvm", "tcg"),
        "auto",
        "vm",
        "auto proves KVM with a tiny guest and falls back to (much slower) emulation, tcg.",
    )
    memory_mib: int = _option(
        "MEMORY", kinds.whole(512, 1 << 20), "2000", "vm", "Memory of the VM in MiB."
    )
    cpus: int = _option("CPUS", kinds.whole(1, 64), "2", "vm", "Processors of the VM.")
    # -- first-boot tests ----------------------------------------------------------------
    boot_date: str = _option(
        "BOOTDATE",
        kinds.RTC,
        "localtime",
        "first-boot",
        "Clock of the VM in first-boot tests: a date, or localtime for now.",
    )
    nat_net: bool = _option(
        "NATNET",
        kinds.FLAG,
        "",
        "first-boot",
        "Not empty: first-boot tests have user networking with port forwards on loopback;\n"
        "empty: no network but the VM's own isolated segment.",
    )
    boot_mac: str = _option(
        "BOOTMAC",
        kinds.MAC,
        "52-54-00-11-a0-5b",
        "first-boot",
        "MAC address of the network card in first-boot tests.",
    )
    metadata_mac: str = _option(
        "MACADDR",
        kinds.MAC_OR_EMPTY,
        "",
        "first-boot",
        "MAC address that the metadata configures. Empty: BOOTMAC.",
    )
    ipv4: str = _option("IPV4", kinds.IPV4, "10.0.2.15", "first-boot", "Address in the metadata.")
    netmask: str = _option(
        "NETMASK", kinds.IPV4, "255.255.255.0", "first-boot", "Netmask in the metadata."
    )
    gateway: str = _option(
        "GATEWAY", kinds.IPV4, "10.0.2.2", "first-boot", "Gateway in the metadata."
    )
    first_boot: bool = _option(
        "FIRSTBOOT",
        kinds.FLAG,
        "",
        "first-boot",
        "Not empty: the metadata disk holds the file first-boot, which makes the every-boot\n"
        "script set a new password.",
    )
    auto_activate: bool = _option(
        "AUTOACTIVATE",
        kinds.FLAG,
        "",
        "first-boot",
        "Not empty: the metadata tells the guest to activate Windows.",
    )
    proxy: str = _option(
        "PROXY",
        kinds.TEXT,
        "",
        "first-boot",
        "HTTP proxy for the activation, as ADDRESS:PORT. Only with AUTOACTIVATE.",
    )
    # -- how long to wait ----------------------------------------------------------------
    install_timeout_s: int = _option(
        "INSTALLTIMEOUT",
        kinds.SECONDS,
        "7200",
        "waits",
        "Seconds from the first boot to the Ctrl+Alt+Delete screen.",
    )
    login_timeout_s: int = _option(
        "LOGINTIMEOUT", kinds.SECONDS, "900", "waits", "Seconds from the password to the desktop."
    )
    screen_timeout_s: int = _option(
        "SCREENTIMEOUT",
        kinds.SECONDS,
        "300",
        "waits",
        "Seconds that a window or page may take to come after a key or a click.",
    )
    shutdown_timeout_s: int = _option(
        "SHUTDOWNTIMEOUT",
        kinds.SECONDS,
        "3600",
        "waits",
        "Seconds that sysprep, a first boot or a shut-down may take to the power-off.",
    )
    key_gap_ms: int = _option(
        "KEYGAP", kinds.whole(1, 1000), "20", "waits", "Milliseconds between two typed characters."
    )
    # -- per label, keyed by it ----------------------------------------------------------
    isos: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)


def _label_key(prefix: str, label: str) -> str:
    # A dot (label 8.1) cannot stand in the name of an environment variable.
    return f"{prefix}{label.replace('.', '')}"


@cache
def schema() -> Mapping[str, Option]:
    """Every option by its key, in the order of the INI file."""
    rows: list[Option] = []
    for label in labels():
        rows.append(
            Option(
                _label_key("ISO", label),
                kinds.TEXT,
                "",
                "install",
                f"Windows ISO for label {label}, in RESOURCES or as a path.",
                frozen=True,
            )
        )
        rows.append(
            Option(
                _label_key("KEY", label),
                kinds.PRODUCT_KEY,
                "",
                "install",
                f"Product key for label {label}, or none (evaluation media).",
                frozen=True,
                secret=True,
            )
        )
    rows.extend(f.metadata["option"] for f in fields(Settings) if "option" in f.metadata)
    return {row.key: row for row in rows}


@dataclass(frozen=True)
class Loaded:
    """Settings with the place that each value came from (for messages and the manifest)."""

    settings: Settings
    texts: Mapping[str, str]
    origins: Mapping[str, str]


def load_settings(
    *,
    ini: Path | None = None,
    environ: Mapping[str, str] | None = None,
    command_line: Mapping[str, str] | None = None,
    frozen: Mapping[str, str] | None = None,
    frozen_from: str = "install-params.toml",
) -> Loaded:
    """Read all sources and check every value.

    `ini` None means ./windows-image-build.ini if there is one. `frozen` are the values that
    1-setup-install fixed: for options marked frozen they go before every other source.
    Raises ConfigError with every fault of every source.
    """
    environ = os.environ if environ is None else environ
    faults: list[str] = []
    texts: dict[str, str] = {}
    origins: dict[str, str] = {}
    from_ini = _read_ini(ini, faults)
    for key in command_line or {}:
        if key not in schema():
            faults.append(f"command line: {key}: there is no such setting{_did_you_mean(key)}")
    parsed: dict[str, Any] = {}
    for key, option in schema().items():
        sources = (
            (frozen if option.frozen else None, f"{frozen_from}, {key}"),
            (command_line, f"command line, {key}"),
            (environ if _is_ours(key, environ) else None, f"environment variable {key}"),
            (from_ini, f"{ini or INI_NAME}, [{option.section}] {key}"),
            ({key: option.default}, f"default of {key}"),
        )
        text, origin = next((src[key], org) for src, org in sources if src and key in src)
        texts[key], origins[key] = text.strip(), origin
        if origin == f"{frozen_from}, {key}" and text != (command_line or {}).get(key, text):
            again = f"1-setup-install --force --set {key}=…"
            faults.append(f"command line, {key}: is fixed for this build; to fix it anew: {again}")
        try:
            parsed[key] = option.kind.parse(text.strip())
        except ValueError as exc:
            shown = "the value" if option.secret else repr(text)
            faults.append(f"{origin}: {shown} is not right: {exc}")
    if faults:
        raise ConfigError(faults, hint="`winbuild settings` explains every setting")
    return Loaded(_build(parsed), texts, origins)


def _is_ours(key: str, environ: Mapping[str, str]) -> bool:
    """GNU gettext has a LANGUAGE too, which desktops set ("en_US:en"): it never has a hyphen."""
    return key != "LANGUAGE" or "-" in environ.get(key, "")


def _build(parsed: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {
        f.name: parsed[f.metadata["option"].key] for f in fields(Settings) if "option" in f.metadata
    }
    for name, prefix in (("isos", "ISO"), ("keys", "KEY")):
        values[name] = {label: parsed[_label_key(prefix, label)] for label in labels()}
    return Settings(**values)


def iso_key(label: str) -> str:
    return _label_key("ISO", label)


def product_key_key(label: str) -> str:
    return _label_key("KEY", label)


def _read_ini(path: Path | None, faults: list[str]) -> dict[str, str]:
    explicit = path is not None
    path = path or Path(INI_NAME)
    if not explicit and not path.exists():
        return {}
    # No interpolation: a % in a value is a %. Keys keep their case.
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as exc:
        faults.append(f"{path}: cannot be read: {exc.strerror}")
    except UnicodeDecodeError:
        faults.append(f"{path}: is not UTF-8 text")
    except configparser.Error as exc:
        faults.append(f"{path}: is not an INI file: {str(exc).splitlines()[0]}")
    if faults:
        return {}
    found: dict[str, str] = {}
    for section in parser.sections():
        for key, text in parser.items(section):
            option = schema().get(key)
            if option is None:
                faults.append(
                    f"{path}, [{section}] {key}: there is no such setting{_did_you_mean(key)}"
                )
            elif option.section != section:
                faults.append(f"{path}, [{section}] {key}: belongs in section [{option.section}]")
            else:
                found[key] = text
    return found


def _did_you_mean(key: str) -> str:
    close = difflib.get_close_matches(key.upper(), schema(), n=1)
    return f"; did you mean {close[0]}?" if close else ""
