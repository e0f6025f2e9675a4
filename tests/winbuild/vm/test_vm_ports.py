from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from winbuild.errors import HostError
from winbuild.vm import ports
from winbuild.vm.ports import PortClaim, claim_digit, default_lock_dir, suggest_digit


@pytest.fixture(autouse=True)
def no_other_program_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on this machine must not matter here."""
    monkeypatch.setattr(ports, "_is_free", lambda port: True)


@contextmanager
def claimed(*args: object, **kwargs: object) -> Iterator[PortClaim]:
    claim = claim_digit(*args, **kwargs)  # type: ignore[arg-type]
    try:
        yield claim
    finally:
        os.close(claim.fd)


def test_the_scheme_of_the_original() -> None:
    assert ports.host_ports(8) == {
        "rdp": 18389,
        "ssh": 18022,
        "misc": 18123,
        "monitor": 18302,
        "zabbix-agent": 10850,
        "zabbix-trapper": 10851,
        "vnc": 5900 + 180,
    }
    assert ports.vnc_display(9) == 190
    assert set(ports.forwards(9)) == {
        (19389, 3389),
        (19022, 22),
        (19123, 7890),
        (10950, 10050),
        (10951, 10051),
    }


def test_no_two_digits_share_a_port() -> None:
    every = [port for digit in range(10) for port in ports.host_ports(digit).values()]
    assert len(set(every)) == len(every)


def test_the_preferred_digit_then_the_next_free(tmp_path: Path) -> None:
    with claimed(9, tmp_path, lock_dir=tmp_path / "l") as first:
        assert first.digit == 9
        with claimed(9, tmp_path, lock_dir=tmp_path / "l") as second:
            assert second.digit == 0
            with claimed(9, tmp_path, lock_dir=tmp_path / "l") as third:
                assert third.digit == 1
    with claimed(9, tmp_path, lock_dir=tmp_path / "l") as again:
        assert again.digit == 9


def test_all_taken_names_the_holders(tmp_path: Path) -> None:
    holder = tmp_path / "ビルド, 'x'"
    claims = [claim_digit(8, holder / str(n), lock_dir=tmp_path / "l") for n in range(10)]
    try:
        with pytest.raises(HostError, match="all ten") as caught:
            claim_digit(8, tmp_path, lock_dir=tmp_path / "l")
    finally:
        for claim in claims:
            os.close(claim.fd)
    assert f"  8: held by {holder / '0'}" in caught.value.message
    assert f"  7: held by {holder / '9'}" in caught.value.message


def test_claims_at_once_never_get_the_same(tmp_path: Path) -> None:
    claims: list[PortClaim] = []
    barrier = threading.Barrier(10)

    def claim() -> None:
        barrier.wait()
        claims.append(claim_digit(8, tmp_path, lock_dir=tmp_path / "l"))

    threads = [threading.Thread(target=claim) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.digit for claim in claims) == list(range(10))
    for each in claims:
        os.close(each.fd)


def test_a_port_of_another_program_makes_the_digit_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_is_free", lambda port: port != 18389)
    with claimed(8, tmp_path, lock_dir=tmp_path / "l") as claim:
        assert claim.digit == 9
    monkeypatch.setattr(ports, "_is_free", lambda port: False)
    with pytest.raises(HostError, match=r"8: another program has port 18389, 18022"):
        claim_digit(8, tmp_path, lock_dir=tmp_path / "l")


def test_ports_are_tried_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert not ports._is_free(port)
    assert ports._is_free(port)


def test_the_folder_of_locks_must_be_private(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o777)
    open_to_all.chmod(0o777)
    with pytest.raises(HostError, match="not a private directory"):
        claim_digit(8, tmp_path, lock_dir=open_to_all)
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(HostError, match="not a private directory"):
        claim_digit(8, tmp_path, lock_dir=tmp_path / "link")
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="cannot be made"):
        claim_digit(8, tmp_path, lock_dir=tmp_path / "file")


def test_where_the_locks_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_lock_dir() == tmp_path / "winbuild"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert default_lock_dir() == Path(f"/tmp/winbuild-{os.getuid()}")


def test_a_digit_for_a_new_build(tmp_path: Path) -> None:
    active = []
    for number, text in enumerate(["8\n", "9", "garbage", "\xff"]):
        path = tmp_path / str(number)
        path.write_text(text, encoding="latin-1")
        active.append(path)
    assert suggest_digit(7, active) == 7
    assert suggest_digit(8, [*active, tmp_path / "missing"]) == 0
    for digit in range(10):
        (tmp_path / f"d{digit}").write_text(str(digit))
    assert suggest_digit(8, tmp_path.glob("d*")) == 8
