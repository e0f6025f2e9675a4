"""What Windows keeps about itself, in our own form: registry, accounts, state of Setup.

Three JSON files under Windows/System32/config. Each is written anew, beside and then renamed,
at every change: the guest may be killed at any time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

FULL_NAMES = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
}
# A real system would take many more rounds, but under emulation they take their time.
ROUNDS = 1000


def write_json(file: Path, content: object) -> None:
    """Write atomically, readable for a person."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".new")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)


def read_json(file: Path) -> dict[str, Any]:
    """The file's object; empty when there is no file."""
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds no object")
    return content


class Registry:
    """Keys and values. Key and value names are found in any case; the first spelling stays."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys: dict[str, dict[str, list[str]]] = read_json(file)

    @staticmethod
    def full_name(key: str) -> str:
        """`key` with the long name of its root, as reg.exe prints it."""
        root, _, rest = key.strip("\\").partition("\\")
        root = FULL_NAMES.get(root.upper(), root.upper())
        return f"{root}\\{rest}" if rest else root

    def _find(self, key: str) -> str | None:
        wanted = self.full_name(key).casefold()
        return next((name for name in self._keys if name.casefold() == wanted), None)

    def add(self, key: str, value: str | None = None, kind: str = "REG_SZ", text: str = "") -> None:
        """Create `key`, and in it `value` ("" is the default value; None: the key alone)."""
        values = self._keys.setdefault(self._find(key) or self.full_name(key), {})
        if value is not None:
            same = next((name for name in values if name.casefold() == value.casefold()), value)
            values[same] = [kind, text]
        write_json(self._file, self._keys)

    def values(self, key: str) -> dict[str, list[str]] | None:
        """The values of `key` as {name: [type, text]}; None when there is no such key."""
        found = self._find(key)
        return None if found is None else dict(self._keys[found])

    def get(self, key: str, value: str) -> str | None:
        """The text of one value."""
        for name, (_, text) in (self.values(key) or {}).items():
            if name.casefold() == value.casefold():
                return text
        return None

    def keys_below(self, prefix: str) -> list[str]:
        """Names of the keys that begin with `prefix`, in their order."""
        wanted = prefix.casefold()
        return [name for name in self._keys if name.casefold().startswith(wanted)]

    def delete(self, key: str, value: str | None = None) -> bool:
        """Remove a value, or a key with all below it. False when it was not there."""
        found = self._find(key)
        if found is None:
            return False
        if value is None:
            below = found.casefold() + "\\"
            self._keys = {
                name: values
                for name, values in self._keys.items()
                if name != found and not name.casefold().startswith(below)
            }
        else:
            values = self._keys[found]
            same = next((name for name in values if name.casefold() == value.casefold()), None)
            if same is None:
                return False
            del values[same]
        write_json(self._file, self._keys)
        return True


class Accounts:
    """Users and the hashes of their passwords (PBKDF2), never the passwords."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._users: dict[str, dict[str, Any]] = read_json(file)

    def _find(self, user: str) -> str | None:
        return next((name for name in self._users if name.casefold() == user.casefold()), None)

    def set_password(self, user: str, password: str) -> None:
        salt = os.urandom(16)
        self._users[self._find(user) or user] = {
            "salt": base64.b64encode(salt).decode(),
            "rounds": ROUNDS,
            "hash": base64.b64encode(_hash(password, salt, ROUNDS)).decode(),
        }
        write_json(self._file, self._users)

    def remove_password(self, user: str) -> None:
        """Nobody can log on as `user` until a password is set."""
        self._users[self._find(user) or user] = {}
        write_json(self._file, self._users)

    def has_password(self, user: str) -> bool:
        return bool(self._users.get(self._find(user) or user))

    def exists(self, user: str) -> bool:
        return self._find(user) is not None

    def accepts(self, user: str, password: str) -> bool:
        """Is this the user's password?"""
        entry = self._users.get(self._find(user) or user)
        if not entry:
            return False
        salt = base64.b64decode(entry["salt"])
        wanted = base64.b64decode(entry["hash"])
        return _hash(password, salt, int(entry["rounds"])) == wanted


def _hash(password: str, salt: bytes, rounds: int) -> bytes:
    """PBKDF2 with HMAC-SHA-256, one block (RFC 8018, 5.2).

    Written out because `hashlib.pbkdf2_hmac` is missing in a Python without OpenSSL.
    """
    keyed = hmac.new(password.encode("utf-8"), digestmod=hashlib.sha256)

    def turn(message: bytes) -> bytes:
        once = keyed.copy()
        once.update(message)
        return once.digest()

    block = turn(salt + (1).to_bytes(4, "big"))
    total = int.from_bytes(block, "big")
    for _ in range(rounds - 1):
        block = turn(block)
        total ^= int.from_bytes(block, "big")
    return total.to_bytes(32, "big")
