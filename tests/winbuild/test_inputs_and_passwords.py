"""Files fixed at 1-setup-install, the password of the first boots, and the way back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from winbuild import boots, first_boot, install_media, packaging
from winbuild.__main__ import main
from winbuild.errors import CheckFailed, MediaError
from winbuild.session import Options, Session
from winbuild.step import StepContext


@pytest.fixture
def session(in_project: Path, capsys: pytest.CaptureFixture[str]) -> Session:
    assert main(["builddirs/b", "0-init", "2012"]) == 0
    capsys.readouterr()
    return Session(Path("builddirs/b"), Options(quiet=True))


@pytest.fixture
def fixed(session: Session, in_project: Path) -> tuple[StepContext, Path]:
    iso = in_project / "resources" / "windows.iso"
    iso.write_bytes(b"windows")
    row = {
        "path": str(iso),
        "size": 7,
        "mtime_ns": iso.stat().st_mtime_ns,
        "sha256": hashlib.sha256(b"windows").hexdigest(),
    }
    session.builddir.write_params({"inputs": {"windows": row}}, {})
    return session.context(), iso


def test_the_file_that_was_fixed_is_used_from_any_folder(
    fixed: tuple[StepContext, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx, iso = fixed
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert install_media.fixed_input(ctx, "windows") == iso
    os.utime(iso, (1, 1))
    assert install_media.fixed_input(ctx, "windows") == iso, "the same content at another time"


@pytest.mark.parametrize("content", [b"another length", b"WINDOWS"])
def test_a_file_that_has_changed_since_is_refused(
    fixed: tuple[StepContext, Path], content: bytes
) -> None:
    ctx, iso = fixed
    iso.write_bytes(content)
    os.utime(iso, (1, 1))
    with pytest.raises(MediaError, match="has changed since 1-setup-install") as caught:
        install_media.fixed_input(ctx, "windows")
    assert "1-setup-install --force" in (caught.value.hint or "")


def test_a_file_that_is_gone(fixed: tuple[StepContext, Path]) -> None:
    ctx, iso = fixed
    iso.unlink()
    with pytest.raises(MediaError, match="No such file"):
        install_media.fixed_input(ctx, "windows")
    with pytest.raises(MediaError, match="no file has been fixed for 'virtio'"):
        install_media.fixed_input(ctx, "virtio")


def test_the_password_that_was_set_last_goes_before_the_one_that_was_kept(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    builddir = session.builddir
    key = rsa.generate_private_key(65537, 2048)
    builddir.file("testsshkey").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    sha1 = hashes.SHA1()
    new = key.public_key().encrypt(b"new one", padding.OAEP(padding.MGF1(sha1), sha1, None))
    on_disk: list[bytes | None] = [None]
    monkeypatch.setattr(first_boot, "_encrypted_password", lambda disk: on_disk[0])
    with pytest.raises(CheckFailed, match="not available"):
        first_boot.password(builddir)
    builddir.file("pw").write_text("kept one\n")
    assert first_boot.password(builddir) == "kept one"
    on_disk[0] = new[:100]
    assert first_boot.password(builddir) == "kept one", "the guest is writing it"
    on_disk[0] = new
    assert first_boot.password(builddir) == "new one"
    assert first_boot.fetch_password(session.context()) == "new one"
    assert builddir.file("pw").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("24-wait-for-shutdown", "winbuild builddirs/b 3-boot-with-install-iso-and-floppy --force"),
        ("1003b-record-logs-at-ctr-alt-delete-prompt1-gen0", "winbuild builddirs/b -testoff"),
    ],
)
def test_the_way_back_fits_the_place_in_the_walk(session: Session, step: str, says: str) -> None:
    with pytest.raises(CheckFailed, match="the VM never ran") as caught:
        boots.check_shut_down_by_guest(session.context(step=step))
    assert says in (caught.value.hint or "")


def test_artefacts_of_an_earlier_packaging_do_not_outlive_a_new_one_that_fails(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError("the disk is full")

    builddir = session.builddir
    names = packaging.names(builddir)
    folder = builddir.file(packaging.SEED_FOLDER)
    folder.mkdir()
    builddir.file(names.source_md5).write_text("0\n")
    packaging.simple_tar(builddir).write_text("old")
    old = (names.raw, names.raw_tar_gz, names.raw_tar_gz_md5, names.install_script)
    for name in (*old, names.qcow2_md5, names.qcow2_gz, names.qcow2_gz_md5):
        (folder / name).write_text("old")
    monkeypatch.setattr(packaging, "_require_space_for", full)
    for act in (packaging.make_simple_tar, packaging.package_raw, packaging.package_qcow2):
        with pytest.raises(OSError, match="full"):
            act(session.context())
    assert list(folder.iterdir()) == [] and builddir.artefacts() == []


def test_doctor_with_a_label_that_does_not_exist(
    in_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "2003"]) == 2
    assert "2008, 2012" in capsys.readouterr().err
