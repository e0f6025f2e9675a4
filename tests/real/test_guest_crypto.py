"""The C# inside wakame-functions.ps1, compiled and run by Mono exactly as it stands there.

It encrypts passwords with real keys of ssh-keygen; `cryptography` and openssl decrypt them.
"""

from __future__ import annotations

import base64
import re
import string
import struct
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from winbuild.guest.scripts import floppy_scripts

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("mono")]

DRIVER = """
using System;
using System.IO;
using System.Text;

public static class Driver
{
    public static int Main(string[] words)
    {
        try
        {
            Run(words);
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error.GetType().Name + ": " + error.Message);
            return 1;
        }
    }

    private static void Run(string[] words)
    {
        switch (words[0])
        {
            case "encrypt":
                Wakame.SshPublicKey key = new Wakame.SshPublicKey(File.ReadAllText(words[1]));
                byte[] secret = key.Encrypt(words[2]);
                using (Stream stdout = Console.OpenStandardOutput())
                    stdout.Write(secret, 0, secret.Length);
                break;
            case "passwords":
                for (int i = 0; i < int.Parse(words[1]); i++)
                    Console.WriteLine(Wakame.Password.Generate(int.Parse(words[2])));
                break;
            case "hosts":
                string[] entries = new string[words.Length - 2];
                Array.Copy(words, 2, entries, 0, entries.Length);
                Show(Wakame.ConfigText.WithHosts(File.ReadAllLines(words[1]), entries));
                break;
            case "option":
                Show(Wakame.ConfigText.WithOption(
                    File.ReadAllLines(words[1]), words[2], words[3]));
                break;
            default:
                throw new ArgumentException(words[0]);
        }
    }

    private static void Show(string[] lines)
    {
        foreach (string line in lines)
            Console.WriteLine(line);
    }
}
"""


class Guest:
    """The guest's C#, with a program around it."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def call(self, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
        command = ["mono", self.program, *words]
        return subprocess.run(command, capture_output=True, timeout=60, check=False)

    def lines(self, *words: str | Path) -> list[str]:
        done = self.call(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    script = floppy_scripts()["wakame-functions.ps1"].decode("ascii")
    (source,) = re.findall(r"Add-Type -TypeDefinition @'\r\n(.*?)\r\n'@", script, re.DOTALL)
    folder = tmp_path_factory.mktemp("mono")
    (folder / "Wakame.cs").write_text(source)
    (folder / "Driver.cs").write_text(DRIVER)
    # PowerShell 2.0 compiles C# 2.0 (ISO-2), without warnings as errors.
    subprocess.run(
        ["mcs", "-langversion:ISO-2", "-out:guest.exe", "Wakame.cs", "Driver.cs"],
        cwd=folder,
        check=True,
        timeout=120,
    )
    return Guest(folder / "guest.exe")


@pytest.fixture(scope="module", params=[2048, 4096])
def key_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key of ssh-keygen in PEM form; its public half has the suffix .pub."""
    key = tmp_path_factory.mktemp("key") / "id_rsa"
    subprocess.run(
        [
            *("ssh-keygen", "-q", "-t", "rsa", "-b", str(request.param), "-m", "PEM"),
            *("-N", "", "-C", "someone@somewhere", "-f", str(key)),
        ],
        check=True,
        timeout=120,
    )
    return key


def decrypt(key_file: Path, secret: bytes) -> str:
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert len(secret) == key.key_size // 8
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    return key.decrypt(secret, oaep).decode()


def test_the_owner_of_the_ssh_key_reads_the_password(guest: Guest, key_file: Path) -> None:
    for password in ("wvh?^A&}&}", "x" * 60, "パスワード"):
        done = guest.call("encrypt", key_file.with_suffix(".pub"), password)
        assert done.returncode == 0, done.stderr
        assert decrypt(key_file, done.stdout) == password


def test_openssl_reads_it_too(guest: Guest, key_file: Path) -> None:
    done = guest.call("encrypt", key_file.with_suffix(".pub"), "a:Password-9")
    said = subprocess.run(
        [
            *("openssl", "pkeyutl", "-decrypt", "-inkey", str(key_file)),
            *("-pkeyopt", "rsa_padding_mode:oaep"),
        ],
        input=done.stdout,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert said.stdout == b"a:Password-9"


def test_encrypting_twice_gives_two_secrets(guest: Guest, key_file: Path) -> None:
    public = key_file.with_suffix(".pub")
    assert guest.call("encrypt", public, "x").stdout != guest.call("encrypt", public, "x").stdout


def field(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def key_line(*fields: bytes, kind: str = "ssh-rsa") -> str:
    return f"{kind} {base64.b64encode(b''.join(fields)).decode()} comment"


@pytest.fixture(scope="module")
def short_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, rsa.RSAPublicNumbers]:
    """A key whose modulus has its first bit clear, so that its mpint has no sign byte.

    Keys of ssh-keygen always have the first bit of the modulus set: this one has 2047 bits.
    """
    while True:
        key = rsa.generate_private_key(65537, 2047)
        if key.public_key().public_numbers().n.bit_length() == 2047:
            break
    pem = tmp_path_factory.mktemp("short") / "id_rsa"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return pem, key.public_key().public_numbers()


def test_a_modulus_without_a_sign_byte_keeps_its_first_byte(
    guest: Guest, short_key: tuple[Path, rsa.RSAPublicNumbers], tmp_path: Path
) -> None:
    pem, numbers = short_key
    modulus = numbers.n.to_bytes(256, "big")
    assert modulus[0] != 0
    public = tmp_path / "key.pub"
    public.write_text(key_line(field(b"ssh-rsa"), field(b"\x01\x00\x01"), field(modulus)))
    secret = guest.call("encrypt", public, "Passw0rd!").stdout
    key = serialization.load_pem_private_key(pem.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    assert key.decrypt(secret, oaep) == b"Passw0rd!"


MODULUS = b"\x00" + b"\xc5" * 256
EXPONENT = b"\x01\x00\x01"
BAD_KEYS = {
    "empty": "",
    "no-base64": "ssh-rsa !!!! x",
    "one-word": "ssh-rsa",
    "another-kind": key_line(field(b"ssh-ed25519"), field(b"x" * 32), kind="ssh-ed25519"),
    "another-kind-inside": key_line(field(b"ssh-dss"), field(EXPONENT), field(MODULUS)),
    "cut-off": key_line(field(b"ssh-rsa"), field(EXPONENT), field(MODULUS)[:-1]),
    "cut-in-a-length": key_line(field(b"ssh-rsa"), field(EXPONENT), b"\x00\x00"),
    "bytes-behind": key_line(field(b"ssh-rsa"), field(EXPONENT), field(MODULUS), b"\x00"),
    "huge-length": key_line(field(b"ssh-rsa"), b"\xff\xff\xff\xff" + EXPONENT),
    "nothing-in-it": key_line(field(b"ssh-rsa"), field(EXPONENT), field(b"\x00\x00")),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_what_is_no_rsa_key_is_refused(guest: Guest, tmp_path: Path, name: str) -> None:
    (tmp_path / "key.pub").write_text(BAD_KEYS[name])
    done = guest.call("encrypt", tmp_path / "key.pub", "secret")
    assert done.returncode == 1 and done.stdout == b""
    assert b"FormatException: " in done.stderr and b"secret" not in done.stderr


def test_every_password_is_complex_enough_and_differs(guest: Guest) -> None:
    passwords = guest.lines("passwords", "3000", "14")
    assert len(set(passwords)) == 3000
    for password in passwords:
        assert len(password) == 14
        assert set(password) & set(string.ascii_lowercase)
        assert set(password) & set(string.ascii_uppercase)
        assert set(password) & set(string.digits)
        assert set(password) & set(string.punctuation)
        assert not set(password) & set("lIO01o\"'`\\<> ")


def test_the_characters_of_passwords_are_spread_evenly(guest: Guest) -> None:
    """Each place gets every class, and within a class every character about equally often."""
    passwords = guest.lines("passwords", "6000", "14")
    for place in (0, 7, 13):
        here = [password[place] for password in passwords]
        for group in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
            share = sum(ch in group for ch in here) / len(here)
            assert 0.10 < share < 0.45
    counts = [sum(password.count(digit) for password in passwords) for digit in "23456789"]
    assert max(counts) / min(counts) < 1.2


def test_a_password_needs_room_for_every_class(guest: Guest) -> None:
    assert len(guest.lines("passwords", "1", "4")[0]) == 4
    assert b"ArgumentOutOfRangeException" in guest.call("passwords", "1", "3").stderr


def test_the_hosts_file_keeps_what_stands_above_our_section(guest: Guest, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# comment\n127.0.0.1 localhost\n")
    first = guest.lines("hosts", hosts, "10.0.0.1 one", "10.0.0.2 two")
    assert first[:2] == ["# comment", "127.0.0.1 localhost"]
    assert "do not modify" in first[2]
    assert first[3:] == ["10.0.0.1 one", "10.0.0.2 two"]
    hosts.write_text("\n".join(first))
    assert guest.lines("hosts", hosts, "10.0.0.3 three") == [*first[:3], "10.0.0.3 three"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["# Server=", "Server=1.1.1.1", "X=1"], ["# Server=", "Server=v", "X=1"]),
        (["# Server=0.0.0.0", "X=1"], ["Server=v", "X=1"]),
        (["X=1", "ServerActive=2"], ["X=1", "ServerActive=2", "Server=v"]),
        (["Server = a", "Server=b"], ["Server=v"]),
        ([], ["Server=v"]),
    ],
)
def test_an_option_is_set_in_its_place(
    guest: Guest, tmp_path: Path, before: list[str], after: list[str]
) -> None:
    config = tmp_path / "agent.conf"
    config.write_text("\n".join(before))
    assert guest.lines("option", config, "Server", "v") == after
