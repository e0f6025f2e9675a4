"""How the text of a setting is read: one `Kind` per form of value.

`parse` turns text into a value or raises ValueError whose text says what would be right.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winbuild.errors import UsageError


@dataclass(frozen=True)
class Kind:
    """A form of value: `form` names it for people, `parse` reads it."""

    form: str
    parse: Callable[[str], Any]


def _text(text: str) -> str:
    if any(ord(ch) < 32 for ch in text):
        raise ValueError("it has a control character in it")
    return text


_SIZE = re.compile(r"(\d+)([KMGT]?)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """`30G` → bytes. Powers of 1024; a bare number is bytes. At least 1 MiB, whole sectors."""
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " ") if match else 0
    if size < 1 << 20 or size % 512:
        raise ValueError("a size such as 30G or 40960M is needed, at least 1M")
    return size


def _mac(text: str) -> str:
    """Hyphens, as the metadata has them; colons are taken too."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}([-:][0-9a-fA-F]{2}){5}", text):
        raise ValueError("a MAC address such as 52-54-00-11-a0-5b is needed")
    if int(text[:2], 16) & 1:
        raise ValueError("this is a multicast address; the first byte must be even")
    return text.lower().replace(":", "-")


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("an IPv4 address such as 10.0.2.15 is needed") from None


def _rtc(text: str) -> str:
    if text == "localtime":
        return text
    # The two forms that QEMU takes.
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"):
        with suppress(ValueError):
            dt.datetime.strptime(text, form)
            return text
    raise ValueError("a date such as 2014-04-01, or localtime, is needed")


def _product_key(text: str) -> str:
    from winbuild.media.iso import check_product_key

    if text == "":
        return text
    try:
        return check_product_key(text) or "none"
    except UsageError as exc:
        # Never the text itself: a mistyped key is nearly a key.
        raise ValueError(exc.hint or exc.message) from None


def whole(low: int, high: int) -> Kind:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high} is needed")
        return int(text)

    return Kind("whole number", parse)


def choice(*words: str) -> Kind:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"one of {', '.join(word or 'empty' for word in words)} is needed")
        return text.lower()

    return Kind(" | ".join(word for word in words if word), parse)


def _language(text: str) -> str:
    from winbuild.windows.languages import languages

    for name in languages():
        if name.lower() == text.lower():
            return name
    raise ValueError(f"one of {', '.join(languages())} is needed")


TEXT = Kind("text", _text)
SIZE = Kind("size", parse_size)
MAC = Kind("MAC address", _mac)
MAC_OR_EMPTY = Kind("MAC address", lambda text: _mac(text) if text else "")
IPV4 = Kind("IPv4 address", _ipv4)
RTC = Kind("date | localtime", _rtc)
FLAG = Kind("empty | anything", bool)
FOLDER = Kind("folder", lambda text: Path(_text(text)).expanduser())
PRODUCT_KEY = Kind("product key | none", _product_key)
LANGUAGE = Kind("language", _language)
KEYBOARD = choice("", "us", "jp106", "de")
SECONDS = whole(1, 7 * 24 * 3600)
