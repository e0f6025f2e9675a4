"""The guest's RSA-OAEP, read back by OpenSSL's with keys that ssh-keygen made."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from winbuild.password import decrypt_password
from winbuild.rehearsal.guest.rsa_oaep import KeyFault, encrypt, read_public_key


@pytest.mark.parametrize("bits", [1024, 2048])
def test_what_the_guest_encrypts_can_be_read(tmp_path: Path, bits: int) -> None:
    key = tmp_path / "key"
    argv = ["ssh-keygen", "-q", "-t", "rsa", "-b", str(bits), "-N", "", "-f", str(key)]
    subprocess.run(argv, check=True)
    exponent, modulus = read_public_key(key.with_suffix(".pub").read_text())
    secret = "pässword!#$"
    ciphertext = encrypt(secret.encode(), exponent, modulus)
    assert len(ciphertext) == bits // 8
    assert decrypt_password(ciphertext, key).text == secret
    assert encrypt(secret.encode(), exponent, modulus) != ciphertext, "the seed is random"
    with pytest.raises(KeyFault, match="do not fit"):
        encrypt(b"x" * (bits // 8 - 41), exponent, modulus)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-rsa",
        "ssh-ed25519 AAAA",
        "ssh-rsa !!!",
        "ssh-rsa " + base64.b64encode(b"\0\0\0\7ssh-rsa").decode(),
        "ssh-rsa " + base64.b64encode(b"\0\0\0\7ssh-rsa\0\0\0\3\1\0\1\0\0\1\0abc").decode(),
        "ssh-rsa " + base64.b64encode(b"\0\0\0\7ssh-dss\0\0\0\1\3\0\0\0\1\5").decode(),
    ],
)
def test_what_is_no_key(line: str) -> None:
    with pytest.raises(KeyFault):
        read_public_key(line)
