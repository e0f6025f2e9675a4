"""The first-boot test: the metadata disk that the cloud would give, and the password that the
guest answers with."""

from __future__ import annotations

from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.builddir import BuildDir
from winbuild.disk.fat import FatVolume
from winbuild.disk.partitions import partition_by_number
from winbuild.errors import CheckFailed, WinbuildError
from winbuild.media.metadata_disk import (
    ENCRYPTED_PASSWORD,
    MetaData,
    NetworkInterface,
    make_metadata_disk,
)
from winbuild.password import decrypt_password
from winbuild.step import StepContext

HOST_NAME = "DEMO1-VM"
INSTANCE_ID = "i-demo1"
METADATA_DISK = "metadata.img"
PASSWORD_FILE = "pw"
KEY_FILE = "testsshkey"


def make_metadata(ctx: StepContext) -> None:
    """A fresh metadata.img, and a key pair (once per build) to encrypt the password with."""
    builddir, settings = ctx.builddir, ctx.settings
    key = builddir.file(KEY_FILE)
    public = builddir.file(f"{KEY_FILE}.pub")
    if not all(file.exists() and file.stat().st_size for file in (key, public)):
        key.unlink(missing_ok=True)
        public.unlink(missing_ok=True)
        # PEM, since the cloud's own tools (openssl) read no newer form; 2048 bits as there.
        argv = [
            "ssh-keygen",
            "-q",
            "-t",
            "rsa",
            "-b",
            "2048",
            "-m",
            "PEM",
            "-N",
            "",
            "-C",
            "winbuild",
        ]
        ctx.host.run([*argv, "-f", key], timeout_s=120, log=ctx.log)
    builddir.file(PASSWORD_FILE).unlink(missing_ok=True)
    make_metadata_disk(
        builddir.file(METADATA_DISK),
        MetaData(
            hostname=HOST_NAME,
            public_key=public.read_text().strip(),
            interfaces=(
                NetworkInterface(
                    mac=settings.metadata_mac or settings.boot_mac,
                    ipv4=settings.ipv4,
                    netmask=settings.netmask,
                    gateway=settings.gateway,
                ),
            ),
            ipv4=settings.ipv4,
            instance_id=INSTANCE_ID,
            first_boot=settings.first_boot,
            auto_activate=settings.auto_activate,
            activation_proxy=settings.proxy,
        ),
    )


def fetch_password(ctx: StepContext) -> str:
    """Decrypt what the guest left on the metadata disk, into the file pw (mode 0600).

    Raises CheckFailed if there is nothing yet.
    """
    text = _password_on_disk(ctx.builddir)
    write_atomic(ctx.builddir.file(PASSWORD_FILE), f"{text}\n", mode=0o600)
    return text


def _password_on_disk(builddir: BuildDir) -> str:
    encrypted = _encrypted_password(builddir.file(METADATA_DISK))
    if encrypted is None:
        raise CheckFailed(
            "the password is not available: the guest has left no pw.enc on the metadata disk",
            hint="the guest's log of it: "
            rf"{builddir.command} -get 'Windows\Setup\Scripts\wakame-first-boot.log' -",
        )
    return decrypt_password(encrypted, builddir.file(KEY_FILE)).text


def _encrypted_password(disk: Path) -> bytes | None:
    if not disk.exists():
        return None
    volume = FatVolume(disk, partition_by_number(disk, 1))
    # Early versions of the original's guest scripts left it at the root.
    for path in (f"meta-data/{ENCRYPTED_PASSWORD}", ENCRYPTED_PASSWORD):
        if volume.exists(path) and (content := volume.read(path)):
            return content
    return None


def password(builddir: BuildDir) -> str:
    """The password that the guest set last. With FIRSTBOOT every boot sets a new one, so the
    metadata disk goes before the file pw. Raises CheckFailed if there is none yet."""
    kept = builddir.file(PASSWORD_FILE)
    try:
        return _password_on_disk(builddir)
    except WinbuildError:
        # The guest may be writing it at this moment.
        if not kept.exists():
            raise
    return kept.read_text().rstrip("\n")
