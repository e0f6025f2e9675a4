from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.vm.events import (
    EventLog,
    VmEvent,
    begin_log,
    host_boot_id,
    mark_stopped,
    parse_event,
    restarts,
)

RESET = (
    b'{"timestamp": {"seconds": 1795206311, "microseconds": 980427}, "event": "RESET",'
    b' "data": {"guest": true, "reason": "guest-reset"}}'
)
GREETING = b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}'


def reset(time_s: float, *, guest: bool = True) -> VmEvent:
    return VmEvent("RESET", time_s, {"guest": guest})


def test_an_event() -> None:
    event = parse_event(RESET)
    assert event == VmEvent(
        "RESET", pytest.approx(1795206311.980427), {"guest": True, "reason": "guest-reset"}
    )


@pytest.mark.parametrize("line", [GREETING, b'{"return": {}}', b"", b"Killed", b"[]", b"3"])
def test_what_is_no_event(line: bytes) -> None:
    assert parse_event(line) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_none(line: bytes) -> None:
    assert isinstance(parse_event(line), VmEvent | None)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(stamp=json_values, name=json_values, content=json_values)
def test_events_of_any_shape(stamp: object, name: object, content: object) -> None:
    line = json.dumps(
        {"timestamp": {"seconds": stamp, "microseconds": 0}, "event": name, "data": content}
    )
    event = parse_event(line.encode())
    assert event is None or isinstance(event.details, dict)


def test_the_log_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "kvm.events"
    log = EventLog(path)
    assert log.events() == []
    path.write_bytes(GREETING + b"\n" + RESET + b"\n" + RESET[:40])
    assert [event.name for event in log.events()] == ["RESET"]
    path.write_bytes(GREETING + b"\n" + RESET + b"\n" + RESET + b"\n\xff\n" + RESET + b"\n")
    assert len(log.events()) == 3
    assert len(log.events()) == 3


def test_a_new_log_in_its_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "kvm.events"
    log = EventLog(path)
    path.write_bytes((RESET + b"\n") * 5)
    assert len(log.events()) == 5
    begin_log(path)
    assert [event.name for event in log.events()] == ["WINBUILD_START"]


def test_marks_stand_between_qemus_events(tmp_path: Path) -> None:
    path = tmp_path / "kvm.events"
    begin_log(path)
    with path.open("ab") as qemu:
        qemu.write(RESET + b"\n")
        qemu.flush()
        mark_stopped(path)
        qemu.write(RESET + b"\n")
    events = EventLog(path).events()
    assert [event.name for event in events] == ["WINBUILD_START", "RESET", "WINBUILD_QUIT", "RESET"]
    assert events[0].details == {"boot_id": host_boot_id()}
    assert path.stat().st_mode & 0o777 == 0o600


def test_several_events_within_a_second_are_one_restart() -> None:
    firmware_twice = [reset(10.0), reset(10.019), reset(10.05), reset(10.9)]
    assert restarts(firmware_twice) == 1
    assert restarts([*firmware_twice, reset(71.0), reset(71.03)]) == 2


def test_restarts_are_counted_when_the_hosts_clock_is_set_back() -> None:
    assert restarts([reset(5000.0), reset(100.0), reset(100.02), reset(160.0)]) == 3


def test_who_asked_for_the_restart() -> None:
    events = [reset(10), reset(20, guest=False), VmEvent("STOP", 25), reset(30)]
    assert restarts(events) == 3
    assert restarts(events, by_guest_only=True) == 2
