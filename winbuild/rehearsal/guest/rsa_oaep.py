"""RSA-OAEP with SHA-1 (RFC 8017, 7.1.1) for the key of an OpenSSH line (RFC 4253, 6.6).

Python's standard library has no RSA, and encrypting needs only `pow`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

HASH_BYTES = 20


class KeyFault(ValueError):
    """The line holds no RSA key that can be used."""


def read_public_key(line: str) -> tuple[int, int]:
    """(exponent, modulus) of "ssh-rsa BASE64 [comment]"."""
    words = line.split()
    if len(words) < 2 or words[0] != "ssh-rsa":
        raise KeyFault("not of the form 'ssh-rsa BASE64'")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error as exc:
        raise KeyFault(f"not base64: {exc}") from exc
    fields: list[bytes] = []
    at = 0
    while at < len(blob):
        length = int.from_bytes(blob[at : at + 4], "big")
        field = blob[at + 4 : at + 4 + length]
        if at + 4 > len(blob) or len(field) != length:
            raise KeyFault("cut off")
        fields.append(field)
        at += 4 + length
    if len(fields) != 3 or fields[0] != b"ssh-rsa":
        raise KeyFault("no RSA key inside")
    return int.from_bytes(fields[1], "big"), int.from_bytes(fields[2], "big")


def encrypt(secret: bytes, exponent: int, modulus: int) -> bytes:
    """The ciphertext, as long as the key. Raises KeyFault if `secret` is too long for it."""
    size = (modulus.bit_length() + 7) // 8
    room = size - 2 * HASH_BYTES - 2
    if len(secret) > room:
        raise KeyFault(f"{len(secret)} bytes do not fit into a key of {size} bytes")
    empty = hashlib.sha1(b"").digest()
    block = empty + bytes(room - len(secret)) + b"\x01" + secret
    seed = os.urandom(HASH_BYTES)
    masked_block = _xor(block, _mask(seed, len(block)))
    masked_seed = _xor(seed, _mask(masked_block, HASH_BYTES))
    message = int.from_bytes(masked_seed + masked_block, "big")
    return pow(message, exponent, modulus).to_bytes(size, "big")


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-1."""
    count = -(-length // HASH_BYTES)
    turns = (hashlib.sha1(seed + n.to_bytes(4, "big")).digest() for n in range(count))
    return b"".join(turns)[:length]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
