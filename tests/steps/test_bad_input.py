"""What a user gets wrong: each has a clear error, and nothing is lost."""

from __future__ import annotations

import importlib
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from winbuild.__main__ import main
from winbuild.errors import CheckFailed
from winbuild.session import Options, Session

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def build(in_project: Path, capsys: Capture) -> Path:
    assert main(["builddirs/b", "0-init", "2012"]) == 0
    capsys.readouterr()
    return in_project / "builddirs" / "b"


def setup_install(capsys: Capture) -> tuple[int, str]:
    code = main(["builddirs/b", "1-setup-install"])
    return code, capsys.readouterr().err


def test_an_unknown_label_makes_nothing(in_project: Path, capsys: Capture) -> None:
    assert main(["builddirs/x", "0-init", "2003"]) == 2
    err = capsys.readouterr().err
    assert "'2003'" in err and "2008, 2012" in err
    assert list((in_project / "builddirs").iterdir()) == []


@pytest.mark.parametrize("words", [["0-init"], ["0-init", "2012", "again"]])
def test_wrong_number_of_words(in_project: Path, words: list[str]) -> None:
    assert main(["builddirs/x", *words]) == 2
    assert not (in_project / "builddirs" / "x").exists()


def test_an_existing_directory_is_left_alone(in_project: Path, capsys: Capture) -> None:
    mine = in_project / "builddirs" / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("ten years")
    assert main(["builddirs/mine", "0-init", "2012"]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_init_twice(build: Path, capsys: Capture) -> None:
    assert main(["builddirs/b", "0-init", "2008"]) == 1
    assert "is a build directory already, at step 1-setup-install" in capsys.readouterr().err
    assert (build / "LABEL").read_text() == "2012\n"


def test_a_place_that_cannot_be_written(in_project: Path, capsys: Capture) -> None:
    (in_project / "file").write_text("")
    assert main(["file/b", "0-init", "2012"]) == 1
    assert "cannot be made" in capsys.readouterr().err


def test_what_0_init_writes(build: Path) -> None:
    assert (build / "LABEL").read_text() == "2012\n"
    assert (build / "WINIMG").read_text() == "win-2012.raw\n"
    assert (build / "active").read_text() == "9\n"
    assert len((build / "timestamp").read_text().strip()) == len("yymmdd-HHMMSS")
    assert "winbuild builddirs/b -do-next" in (build / "README").read_text()
    assert main(["builddirs/c", "0-init", "2012"]) == 0
    assert (build.parent / "c" / "active").read_text() == "0\n"
    assert main(["builddirs/d", "0-init", "2008"]) == 0
    assert (build.parent / "d" / "active").read_text() == "8\n"


def test_unset_iso_and_key_are_reported_together(build: Path, capsys: Capture) -> None:
    code, err = setup_install(capsys)
    assert code == 2
    for text in ("ISO2012 is not set", "KEY2012 is not set", "VIRTIOISO", "ZABBIXINSTALLER"):
        assert text in err
    assert (build / "nextstep").read_text() == "1-setup-install\n"
    assert not (build / "install-params.toml").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no file"),
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>please prove that you are human</html>" * 999, "web page"),
        (os.urandom(1 << 16), "ISO 9660"),
        ("directory", "is a directory"),
    ],
)
def test_isos_that_are_none(
    build: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | str | None,
    says: str,
) -> None:
    iso = build.parents[1] / "resources" / "windows.iso"
    if isinstance(content, bytes):
        iso.write_bytes(content)
    elif content == "directory":
        iso.mkdir()
    monkeypatch.setenv("ISO2012", "windows.iso")
    monkeypatch.setenv("KEY2012", "none")
    code, err = setup_install(capsys)
    assert code == 1 and says in err and "windows.iso" in err


def test_a_malformed_key_is_not_repeated(
    build: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY2012", "D2N9P-3P6X9-2R39C-7RTCD")
    code, err = setup_install(capsys)
    assert code == 2
    assert "KEY2012" in err and "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX" in err
    assert "7RTCD" not in err
    assert not any("7RTCD" in p.read_text() for p in build.rglob("*") if p.is_file())


def test_no_qemu(build: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVM_BINARY", "qemu-system-nothing")
    code, err = setup_install(capsys)
    assert code == 2 and "'qemu-system-nothing' is not installed" in err


def test_a_setting_that_does_not_exist(build: Path, capsys: Capture) -> None:
    assert main(["builddirs/b", "1-setup-install", "--set", "IMAGSIZE=1G"]) == 2
    assert "did you mean IMAGESIZE?" in capsys.readouterr().err
    assert main(["builddirs/b", "1-setup-install", "--set", "IMAGESIZE"]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err


def test_settings_may_be_fixed_anew_after_their_file_was_spoilt(
    build: Path, capsys: Capture
) -> None:
    (build / "install-params.toml").write_text("[settings\n")
    (build / "nextstep").write_text("2-create-floppy-image-with-answer-file\n")
    assert main(["builddirs/b", "-do-next"]) == 1
    assert "winbuild builddirs/b 1-setup-install --force" in capsys.readouterr().err
    assert main(["builddirs/b", "1-setup-install", "--force"]) == 2
    assert "KEY2012 is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "o'quote\"",
        "日本語ビルド",
        "comma,and=equals",
        "n" * 200,
        os.fsdecode(b"\xff\xfe"),
    ],
)
def test_names_of_all_kinds(in_project: Path, capsys: Capture, name: str) -> None:
    assert main([f"builddirs/{name}", "0-init", "2012"]) == 0
    assert main([f"builddirs/{name}"]) == 0
    assert main(["list"]) == 0
    if name.isprintable():
        assert name in capsys.readouterr().out
    assert (in_project / "builddirs" / name / "README").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["-screenshot"],
        ["-sd"],
        ["-screen"],
        ["-ls"],
        ["-get", "x"],
        ["-mtu", "x.tar.gz"],
        ["-pw"],
        ["-mm"],
    ],
)
def test_words_that_need_what_is_not_there_yet(
    build: Path, capsys: Capture, words: list[str]
) -> None:
    assert main(["builddirs/b", *words]) == 1
    assert "error: " in capsys.readouterr().err


def test_killing_no_vm_is_no_error(build: Path, capsys: Capture) -> None:
    assert main(["builddirs/b", "-kill-kvm"]) == 0
    assert "does not run" in capsys.readouterr().out
    (build / ".half.img.partial").write_text("half")
    assert main(["builddirs/b", "-cleanup"]) == 0
    assert "removed the half-made half.img" in capsys.readouterr().out
    assert not (build / ".half.img.partial").exists()


def test_an_option_before_the_word_is_not_passed_over(build: Path, capsys: Capture) -> None:
    assert main(["builddirs/b", "--json", "do-next"]) == 2
    assert "options go behind the word" in capsys.readouterr().err


@pytest.mark.parametrize("sysprepped", [True, False])
def test_a_shutdown_that_was_not_sysprep_s_is_not_taken_for_it(
    build: Path, monkeypatch: pytest.MonkeyPatch, sysprepped: bool
) -> None:
    module = importlib.import_module("steps.wakame.s0024_after_sysprep")
    asked = []

    class Volume:
        def exists(self, path: str) -> bool:
            asked.append(path)
            return sysprepped

    monkeypatch.setattr(module.boots, "open_ntfs", lambda image, partition: nullcontext(Volume()))
    monkeypatch.setattr(module.boots, "windows_partition", lambda image: None)
    monkeypatch.setattr(module.boots, "check_shut_down_by_guest", lambda ctx: None)
    ctx = Session(build, Options(quiet=True)).context(step="24-wait-for-shutdown")
    if sysprepped:
        module.WaitForShutdown().verify(ctx)
    else:
        with pytest.raises(CheckFailed, match="shut down, but not generalized") as caught:
            module.WaitForShutdown().verify(ctx)
        assert "25-record-logs-after-sysprep --force" in (caught.value.hint or "")
    assert asked == [r"Windows\System32\Sysprep\Sysprep_succeeded.tag"]


def test_a_word_that_does_not_exist(build: Path, capsys: Capture) -> None:
    assert main(["builddirs/b", "do-nxt"]) == 2
    assert "do-next" in capsys.readouterr().err
