from __future__ import annotations

import base64
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winbuild.errors import UsageError, WinbuildError
from winbuild.password import decrypt_password

PASSWORD = "wvh?^A&}&} ü日本"


def run(*argv: str | Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run([*map(str, argv)], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys as people have them: `BITS-FORM` with their public halves in `BITS-FORM.pub`."""
    folder = tmp_path_factory.mktemp("keys, 'quoted' 日本")
    for bits in ("2048", "4096"):
        for form in ("OpenSSH", "PEM", "PKCS8"):
            key = folder / f"{bits}-{form}"
            format_option: list[str | Path] = [] if form == "OpenSSH" else ["-m", form]
            run("ssh-keygen", "-q", "-t", "rsa", "-b", bits, "-N", "", *format_option, "-f", key)
    run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "secret", "-f", folder / "locked")
    locked: list[str | Path] = ["-m", "PEM", "-N", "secret", "-f", folder / "locked-PEM"]
    run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", *locked)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "ed25519")
    return folder


def encrypt(key: Path, text: bytes, padding: str) -> bytes:
    """By openssl, with the public half of an OpenSSH key."""
    public = key.with_name(f"{key.name}.spki")
    public.write_bytes(run("ssh-keygen", "-e", "-m", "PKCS8", "-f", f"{key}.pub"))
    return run(
        "openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", public,
        "-pkeyopt", f"rsa_padding_mode:{padding}", stdin=text,
    )  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("form", ["OpenSSH", "PEM", "PKCS8"])
@pytest.mark.parametrize("bits", ["2048", "4096"])
@pytest.mark.parametrize(("padding", "name"), [("oaep", "OAEP"), ("pkcs1", "PKCS#1 v1.5")])
def test_what_openssl_encrypts_for_a_key_is_decrypted(
    keys: Path, bits: str, form: str, padding: str, name: str
) -> None:
    key = keys / f"{bits}-{form}"
    raw = encrypt(key, PASSWORD.encode(), padding)
    lines = base64.encodebytes(raw)
    for encrypted in (raw, base64.b64encode(raw), lines, b"  " + lines.replace(b"\n", b"\r\n  ")):
        found = decrypt_password(encrypted, key)
        assert (found.text, found.padding) == (PASSWORD, name)


@pytest.mark.real
@pytest.mark.parametrize("padding", ["oaep", "pkcs1"])
def test_the_wrong_key_is_told_and_gives_no_random_text(keys: Path, padding: str) -> None:
    encrypted = encrypt(keys / "2048-OpenSSH", PASSWORD.encode(), padding)
    with pytest.raises(WinbuildError, match="not encrypted for the key") as caught:
        decrypt_password(encrypted, keys / "2048-PEM")
    assert str(keys / "2048-PEM") in caught.value.message


@pytest.mark.real
@pytest.mark.parametrize(
    ("key", "says", "hint"),
    [
        ("locked", "protected by a passphrase", "ssh-keygen -p -N '' -f"),
        ("locked-PEM", "protected by a passphrase", "ssh-keygen -p -N '' -f"),
        ("ed25519", "not an RSA key", "ssh-keygen -t rsa"),
        ("2048-PEM.pub", "public half", ""),
        ("none", "cannot be read: No such file", ""),
    ],
)
def test_keys_that_cannot_be_used(keys: Path, key: str, says: str, hint: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        decrypt_password(bytes(256), keys / key)
    assert hint in (caught.value.hint or "")


@cache
def _small_key_pem() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(_small_key_pem())
    return path


@pytest.mark.parametrize(
    ("encrypted", "says"),
    [
        (b"", "input is empty"),
        (b" \n", "input is empty"),
        (b"not base64 at all!", "neither base64 nor 256 bytes"),
        (bytes(255), "neither base64 nor 256 bytes"),
        (base64.b64encode(bytes(255)), "has 255 bytes, but the key .* needs 256"),
        (base64.b64encode(bytes(512)), "encrypted for another key, of 4096 bits"),
        (base64.b64encode(bytes(256))[:-8], "has 252 bytes, .* cut off"),
    ],
)
def test_input_that_cannot_be_a_password(key: Path, encrypted: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        decrypt_password(encrypted, key)


def test_a_damaged_key_file_is_told(key: Path) -> None:
    key.write_bytes(_small_key_pem()[:600])
    with pytest.raises(UsageError, match="no private key that can be read"):
        decrypt_password(bytes(256), key)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=256, max_size=256))
def test_random_bytes_are_never_taken_for_a_password(key: Path, garbage: bytes) -> None:
    with pytest.raises(WinbuildError, match="not encrypted for the key"):
        decrypt_password(garbage, key)


def test_padding_without_a_text_in_it_is_no_password(key: Path) -> None:
    """PKCS#1 v1.5 blocks that are formally right: empty, too short a padding, control bytes."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(_small_key_pem(), None)
    numbers = private.public_key().public_numbers()  # type: ignore[union-attr]
    for tail in (b"", b"\1\2\3", b"\xff\xfe"):
        block = b"\0\2" + b"\x55" * (253 - len(tail)) + b"\0" + tail
        number = pow(int.from_bytes(block, "big"), numbers.e, numbers.n)  # type: ignore[union-attr]
        with pytest.raises(WinbuildError, match="not encrypted for the key"):
            decrypt_password(number.to_bytes(256, "big"), key)
