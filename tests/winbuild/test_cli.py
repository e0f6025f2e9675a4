"""The commands without a build directory, the grammar, and completion."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from PIL import Image

import winbuild
from winbuild.__main__ import main

PROJECT = Path(winbuild.__file__).parents[1]
Capture = pytest.CaptureFixture[str]


def test_help_teaches(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for text in ("0-init 2012", "-do-next", "-done", "-auto --package", "doctor", "rehearsal"):
        assert text in out
    assert main(["some/dir", "--help"]) == 0
    out = capsys.readouterr().out
    for word in ("do-next", "done", "auto", "screenshot", "updatescripts", "kill-kvm", "testoff"):
        assert word in out


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"winbuild {winbuild.__version__}\n"


def test_an_empty_project(in_project: Path, capsys: Capture) -> None:
    assert main([]) == 0
    assert "winbuild builddirs/NAME 0-init LABEL" in capsys.readouterr().out
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_steps_and_graph(capsys: Capture) -> None:
    assert main(["steps"]) == 0
    table = capsys.readouterr().out
    assert "8-M-enter-password" in table and "manual" in table
    assert main(["steps", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows][:2] == ["0-init", "1-setup-install"]
    assert main(["graph"]) == 0
    assert capsys.readouterr().out.startswith("stateDiagram-v2\n")


def test_the_example_plan_of_the_documentation_runs(
    in_project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANS", str(PROJECT / "docs" / "example-plan"))
    (in_project / "README.md").write_text("hello\n")
    page = (PROJECT / "docs" / "plans.md").read_text()
    block = page.split("```sh\n")[1].split("```")[0]
    codes = []
    for line in block.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["winbuild"]:
            codes.append(main(words[1:]))
        elif words[:1] == ["echo"]:
            (in_project / "builddirs/example/approved-by").write_text("Your Name\n")
    assert codes == [0, 0, 0, 0, 4, 0, 0]
    report = (in_project / "builddirs/example/report.txt").read_text()
    digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    assert report == f"{in_project}/README.md {digest} Your Name\n"
    assert (in_project / "builddirs/example/nextstep").read_text() == "finished\n"


def test_settings_say_where_they_come_from(
    in_project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY2012", "D2N9P-3P6X9-2R39C-7RTCD-MDVJX")
    (in_project / "windows-image-build.ini").write_text("[vm]\nCPUS = 3\n")
    assert main(["settings", "--json"]) == 0
    rows = {row["key"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["CPUS"]["value"] == "3"
    assert rows["CPUS"]["from"] == "windows-image-build.ini, [vm] CPUS"
    assert rows["KEY2012"]["value"] == "(set)"


def test_answer_file(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "Autounattend.xml"
    words = ["answer-file", "2012", "--language", "ja-JP", "--key", "kms", "-o", str(out)]
    assert main(words) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    text = out.read_text()
    ET.fromstring(text)
    assert "D2N9P-3P6X9-2R39C-7RTCD-MDVJX" in text and "ja-JP" in text
    assert main(["answer-file", "2012", "--key", "nonsense"]) == 2
    assert main(["answer-file", "95"]) == 2
    assert main(["answer-file", "2008", "--firmware", "uefi"]) == 2
    capsys.readouterr()
    assert main(["answer-file", "2012", "--firmware", "uefi", "--arch", "amd64"]) == 0
    assert "<Type>EFI</Type>" in capsys.readouterr().out


def test_decrypt_password(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    sha1 = hashes.SHA1()
    oaep = padding.OAEP(padding.MGF1(sha1), sha1, None)
    encrypted = base64.b64encode(key.public_key().encrypt(b"wvh?^A&}&}", oaep))
    stdin = io.TextIOWrapper(io.BytesIO(encrypted))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["decrypt-password", str(pem)]) == 0
    assert capsys.readouterr().out == "wvh?^A&}&}\n"
    file = tmp_path / "pw"
    file.write_bytes(base64.encodebytes(key.public_key().encrypt(b"x y", padding.PKCS1v15())))
    assert main(["decrypt-password", str(pem), str(file)]) == 0
    assert capsys.readouterr().out == "x y\n"
    assert main(["decrypt-password", str(pem), str(tmp_path / "none")]) == 2


@pytest.mark.parametrize(
    ("words", "index", "expected"),
    [
        ("winbuild builddirs/", 1, {"builddirs/b/"}),
        ("winbuild do", 1, {"doctor"}),
        ("winbuild builddirs/b -do", 2, {"-do-next", "-done"}),
        ("winbuild builddirs/b 4-", 2, {"4-M-wait-for-ctrl-alt-delete-screen"}),
        ("winbuild builddirs/b -auto --st", 3, {"--stop-at"}),
    ],
)
def test_completion(in_project: Path, words: str, index: int, expected: set[str]) -> None:
    assert main(["builddirs/b", "0-init", "2012"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "winbuild"],
        env=os.environ
        | {"_WINBUILD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(index)},
        capture_output=True,
        text=True,
        cwd=in_project,
    )
    assert set(done.stdout.split()) == expected, done.stderr


def test_a_bug_is_reported_as_one_with_its_traceback_in_a_log(
    in_project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(in_project / "state"))

    def broken(folder: Path) -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr("winbuild.status.list_builds", broken)
    assert main(["list"]) == 3
    err = capsys.readouterr().err
    assert "a bug in winbuild: RuntimeError: out of cheese" in err
    log = in_project / "state" / "winbuild" / "bug.log"
    assert str(log) in err and "Traceback" in log.read_text()


def test_screen_test_judges_labelled_pictures(tmp_path: Path, capsys: Capture) -> None:
    assert main(["screen", "test", str(tmp_path)]) == 2
    assert "holds no picture" in capsys.readouterr().err
    Image.new("RGB", (640, 480), (10, 20, 30)).save(tmp_path / "blank.png")
    (tmp_path / "labels.tsv").write_text("blank.png\t\n")
    assert main(["screen", "test", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["picture"], row["expected"]) for row in rows] == [("blank.png", [])]
    (tmp_path / "labels.tsv").write_text("blank.png\tlogon.password\n")
    assert main(["screen", "test", str(tmp_path)]) == 1
    assert "MISSED logon.password" in capsys.readouterr().out


def test_ctrl_c(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("winbuild.status.list_builds", interrupted)
    assert main(["list"]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err


def test_no_colours_outside_a_terminal(in_project: Path, capsys: Capture) -> None:
    main(["builddirs/b", "0-init", "2012"])
    main(["builddirs/b", "-do-next"])
    main(["builddirs/b"])
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_the_quick_look_shows_what_the_command_line_shows(
    in_project: Path, capsys: Capture, option: list[str]
) -> None:
    main(["builddirs/b", "0-init", "2012"])
    capsys.readouterr()
    assert main(["builddirs/b", *option]) == 0
    quick = capsys.readouterr().out
    assert main(["builddirs/b", "status", *option]) == 0
    assert capsys.readouterr().out == quick
    assert main(["builddirs/none", *option]) == 1
    assert "0-init LABEL" in capsys.readouterr().err
