"""Decrypts the Administrator password that a guest has left, with the private half of its key.

Two paddings are in use: OAEP with SHA-1 (Wakame-vdc) and PKCS#1 v1.5 (OpenStack, cloudbase-init).
`cryptography` is imported when it is needed.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from winbuild.errors import UsageError, WinbuildError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_MIN_V15_PADDING = 8


@dataclass(frozen=True)
class DecryptedPassword:
    text: str
    padding: str
    """`OAEP` or `PKCS#1 v1.5`."""


def decrypt_password(encrypted: bytes, key_file: Path) -> DecryptedPassword:
    """Decrypt what the guest wrote: the bare bytes, or base64 with any line breaks.

    `key_file` holds an RSA private key without passphrase, as OpenSSH or PEM. Raises UsageError
    for a file or text that cannot be used at all, WinbuildError if the key is not the right one.
    """
    key = _load_key(key_file)
    ciphertext = _ciphertext(encrypted, (key.key_size + 7) // 8, key_file)
    for padding, decrypt in (("OAEP", _decrypt_oaep), ("PKCS#1 v1.5", _decrypt_v15)):
        text = _text(decrypt(key, ciphertext))
        if text is not None:
            return DecryptedPassword(text, padding)
    raise WinbuildError(
        f"the password was not encrypted for the key {key_file}",
        hint="use the private half of the key pair that the instance was started with",
    )


def _load_key(key_file: Path) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_ssh_private_key,
    )

    try:
        text = key_file.read_bytes()
    except OSError as exc:
        raise UsageError(f"the key file {key_file} cannot be read: {exc.strerror}") from exc
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        key = load(text, password=None)
    except TypeError as exc:
        raise UsageError(
            f"the key {key_file} is protected by a passphrase",
            hint="use a copy of it without one: ssh-keygen -p -N '' -f "
            + shlex.quote(f"{key_file}.copy"),
        ) from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise UsageError(_why_no_private_key(key_file, text)) from exc
    if not isinstance(key, RSAPrivateKey):
        raise UsageError(
            f"the key {key_file} is not an RSA key, and only RSA keys can decrypt a password",
            hint="make one for the next instance: ssh-keygen -t rsa -b 4096 -m PEM",
        )
    return key


def _why_no_private_key(key_file: Path, text: bytes) -> str:
    public = text.startswith(b"ssh-") or b"PUBLIC KEY" in text
    what = "is the public half of a key" if public else "holds no private key that can be read"
    return f"the file {key_file} {what}; the private half is needed, as OpenSSH or PEM"


def _ciphertext(encrypted: bytes, key_bytes: int, key_file: Path) -> bytes:
    """The bare bytes, whose number must be that of the key."""
    if len(encrypted) == key_bytes:
        return encrypted
    packed = b"".join(encrypted.split())
    if not packed:
        raise UsageError("there is no encrypted password: the input is empty")
    try:
        ciphertext = base64.b64decode(packed, validate=True)
    except binascii.Error as exc:
        raise UsageError(
            f"the encrypted password is neither base64 nor {key_bytes} bytes as they are "
            f"({len(encrypted)} bytes were given)",
        ) from exc
    if len(ciphertext) != key_bytes:
        bits = len(ciphertext) * 8
        why = f"encrypted for another key, of {bits} bits" if bits % 1024 == 0 else "cut off"
        raise UsageError(
            f"the encrypted password has {len(ciphertext)} bytes, but the key {key_file} needs "
            f"{key_bytes}: it was {why}"
        )
    return ciphertext


def _decrypt_oaep(key: RSAPrivateKey, ciphertext: bytes) -> bytes | None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP

    sha1 = hashes.SHA1()
    try:
        return key.decrypt(ciphertext, OAEP(MGF1(sha1), sha1, label=None))
    except ValueError:
        return None


def _decrypt_v15(key: RSAPrivateKey, ciphertext: bytes) -> bytes | None:
    """Take the padding off here: OpenSSL, so that no attacker learns anything, gives random
    bytes for a wrong key instead of an error. Nobody but the key's owner asks here."""
    numbers = key.private_numbers()
    modulus = numbers.public_numbers.n
    number = int.from_bytes(ciphertext, "big")
    if number >= modulus:
        return None
    block = pow(number, numbers.d, modulus).to_bytes(len(ciphertext), "big")
    end = block.find(b"\0", 2)
    if not block.startswith(b"\0\2") or end < 2 + _MIN_V15_PADDING:
        return None
    return block[end + 1 :]


def _text(decrypted: bytes | None) -> str | None:
    """The password as text; None if it cannot be one, which betrays a wrong key."""
    try:
        text = decrypted.decode() if decrypted else ""
    except UnicodeDecodeError:
        return None
    return text if text and text.isprintable() else None
