"""The first-boot test: the metadata disk that the cloud would give, and the password that the
guest answers with."""

from __future__ import annotations

from pathlib import Path

from winbuild import password as password_module
from winbuild.atomic import write_atomic
from winbuild.builddir import BuildDir
from winbuild.disk import fat
from winbuild.errors import BuildDirError, CheckFailed
from winbuild.media.metadata_disk import MetaData, make_metadata_disk
from winbuild.step import StepContext

BACKUP_SCRIPT = r"C:\Windows\Setup\Scripts\sysprep-for-backup.cmd"
HOST_NAME = "DEMO1-VM"
PASSWORD_FILE = "pw"
KEY_FILE = "testsshkey"


def make_metadata(ctx: StepContext) -> None:
    """A fresh metadata.img, and a key pair (once per build) to encrypt the password with."""
    builddir, settings = ctx.builddir, ctx.settings
    key = builddir.file(KEY_FILE)
    public = builddir.file(f"{KEY_FILE}.pub")
    if not public.exists():
        key.unlink(missing_ok=True)
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
        ctx.host,
        builddir.file("metadata.img"),
        MetaData(
            local_hostname=HOST_NAME,
            openssh_key=public.read_text().strip(),
            mac=settings.metadata_mac or settings.boot_mac,
            ipv4=settings.ipv4,
            netmask=settings.netmask,
            gateway=settings.gateway,
            first_boot=settings.first_boot,
            auto_activate=settings.auto_activate,
            proxy=settings.proxy,
        ),
    )


def fetch_password(ctx: StepContext) -> str:
    """Decrypt what the guest left on the metadata disk, into the file pw (mode 0600).

    Raises CheckFailed if there is nothing yet.
    """
    builddir = ctx.builddir
    encrypted = fat.read_file(ctx.host, builddir.file("metadata.img"), "meta-data/pw.enc")
    if encrypted is None:
        raise CheckFailed(
            "the password is not available: the guest has left no pw.enc on the metadata disk",
            hint="its log is in the disk: winbuild "
            rf"{builddir.path} -get 'Windows\Setup\Scripts\wakame-first-boot.log'",
        )
    text = password_module.decrypt(encrypted, builddir.file(KEY_FILE))
    write_atomic(builddir.file(PASSWORD_FILE), f"{text}\n", mode=0o600)
    return text


def password(builddir: BuildDir) -> str:
    """The password in the file pw; BuildDirError if it is not there yet."""
    path: Path = builddir.file(PASSWORD_FILE)
    if not path.exists():
        raise BuildDirError(
            "the password is not available yet: there is no file pw",
            hint="step 1002 fetches it after the first boot",
        )
    return path.read_text().rstrip("\n")
