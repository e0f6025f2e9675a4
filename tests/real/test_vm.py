"""A VM in a build directory with an awkward path: start, look, type, network, claims."""

from __future__ import annotations

import fcntl
import os
import shlex
import socket
import stat
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_guests as guests

from winbuild.deadline import Deadline
from winbuild.errors import GuestTimeout, HostError, VmError
from winbuild.host import Host
from winbuild.vm import files, ports
from winbuild.vm.launch import pinned_machine, start_vm
from winbuild.vm.spec import Nic
from winbuild.vm.vm import Vm

pytestmark = pytest.mark.real

KEY_A = [
    {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": "a"}}}
    for down in (True, False)
]


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    """Far longer than a unix socket's path may be, and full of what QEMU and shells take apart."""
    path = tmp_path / "深い 場所, with 'quotes', \"a,b\", $HOME; x=1:" / ("long" * 40)
    path.mkdir(parents=True)
    assert len(os.fsencode(path)) > 200
    yield path
    for found in tmp_path.rglob(files.LOCK):
        Vm(found.parent, Host()).kill()


def test_a_vm_on_a_deep_path_with_spaces_quotes_and_commas(run_dir: Path) -> None:
    disk = guests.make_disk(run_dir, guests.CHATTY)
    cd, floppy = run_dir / "a,b 'c' D:.iso", run_dir / "flo,ppy.img"
    cd.write_bytes(bytes(1 << 20))
    floppy.write_bytes(bytes(1440 << 10))
    spec = guests.spec(disk, cdroms=(cd, cd), floppy=floppy, keyboard_map="jp106", cpus=2)

    vm = start_vm(Host(), run_dir, spec)

    status = vm.status()
    assert status.state == "running" and status.pid is not None
    assert status.since == pytest.approx(time.time(), abs=30)
    assert vm.query_status()["running"] is True
    guests.wait_until(lambda: "hello" in vm.serial_tail(100), "the guest's greeting")
    guests.wait_until(lambda: vm.block_stats()["disk0"].read_bytes >= 3 * 512, "reads")
    assert vm.block_stats()["cd1"].written_bytes == 0
    assert vm.boots() == 1 and vm.resets() == 0

    command = (run_dir / f"/proc/{status.pid}/cmdline").read_bytes().split(b"\0")[:-1]
    written = [path for path in run_dir.iterdir() if path.name.startswith("kvm-boot-cmdline-")]
    assert len(written) == 1
    assert [os.fsencode(arg) for arg in shlex.split(written[0].read_text())] == command

    vm.quit()
    assert vm.status().state == "none"
    left = {path.name for path in run_dir.iterdir() if path.name.startswith("kvm.")}
    assert {files.PID, files.MONITOR, files.SERIAL}.isdisjoint(left)


def test_sockets_are_private_and_vnc_is_on_the_loopback_only(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    for name in (files.MONITOR, files.SERIAL, files.SERIAL_LOG, files.EVENTS, files.STDERR):
        assert stat.S_IMODE((run_dir / name).stat().st_mode) & 0o077 == 0, name
    host, _, port = (run_dir / files.VNC).read_text().strip().rpartition(":")
    assert vm.status().vnc == f"{host}:{port}"
    with socket.create_connection((host, int(port)), timeout=10) as viewer:
        assert viewer.recv(4) == b"RFB "
    listening = f":{int(port):04X} "
    table = Path(f"/proc/{vm.status().pid}/net/tcp").read_text().splitlines()
    local = [line.split()[1] for line in table if listening in line and line.split()[3] == "0A"]
    assert local == [f"0100007F{listening.strip()}"]


def test_screen_and_input(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    assert vm.screendump().startswith(b"P6\n")
    vm.send_input(KEY_A)

    vm.pause()

    assert vm.status().state == "paused"
    assert vm.screendump().startswith(b"P6\n")
    with pytest.raises(VmError, match="VM not running"):
        vm.send_input(KEY_A)
    vm.resume()
    assert vm.status().state == "running"
    vm.send_input(KEY_A)


def test_the_monitor_serves_others_between_two_calls(run_dir: Path) -> None:
    mine = guests.start(run_dir, guests.LOOP)
    for _ in range(3):
        assert mine.query_status()["running"]
        assert Vm(run_dir, Host()).query_status()["running"]


def test_a_monitor_that_another_program_keeps_is_named(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    directory = os.open(run_dir, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(f"/proc/self/fd/{directory}/{files.MONITOR}")
        other.recv(1)
        with pytest.raises(VmError, match="did not answer 'query-status'") as caught:
            vm.query_status(timeout_s=0.3)
    os.close(directory)
    assert caught.value.hint and files.MONITOR in caught.value.hint
    assert vm.status().state == "running"


def test_status_is_quick_and_reads_only_files(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    with (run_dir / files.EVENTS).open("ab") as log:
        line = (
            b'{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "RTC_CHANGE",'
            b' "data": {"offset": 1}}\n'
        )
        log.write(line * 500)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        state = Vm(run_dir, Host()).status().state
        times.append(time.perf_counter() - begun)
        assert state == "running"
    assert statistics.median(times) < 0.010
    vm.kill()


def test_a_second_start_is_refused(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    pid = vm.status().pid
    with pytest.raises(VmError, match=f"there already .process {pid}") as caught:
        guests.start(run_dir, guests.LOOP)
    assert caught.value.hint and "-kill-kvm" in caught.value.hint
    assert vm.status().pid == pid


def test_of_two_starts_at_once_one_wins(run_dir: Path) -> None:
    disk = guests.make_disk(run_dir, guests.LOOP)
    outcomes: list[object] = []

    def attempt() -> None:
        try:
            outcomes.append(start_vm(Host(), run_dir, guests.spec(disk)))
        except VmError as exc:
            outcomes.append(exc)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Vm) for outcome in outcomes) == 1
    assert Vm(run_dir, Host()).status().state == "running"


def test_two_vms_side_by_side_and_an_image_in_use(run_dir: Path) -> None:
    first = guests.start(run_dir / "one", guests.LOOP)
    second = guests.start(run_dir / "two", guests.LOOP)
    assert first.status().pid != second.status().pid

    third = run_dir / "three"
    third.mkdir()
    with pytest.raises(VmError, match="in use by another QEMU") as caught:
        start_vm(Host(), third, guests.spec(run_dir / "one" / "disk.img"))
    assert "disk.img" in caught.value.message  # the end of QEMU's stderr
    assert caught.value.log == third / files.STDERR
    assert Vm(third, Host()).status().state == "crashed"
    assert first.status().state == second.status().state == "running"


def test_a_port_that_is_taken(run_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        display = other.getsockname()[1] - 5900
        with pytest.raises(VmError, match="TCP port that this VM needs is taken"):
            guests.start(run_dir, guests.LOOP, vnc_display=display)
    # The failure leaves nothing behind that hinders the next start.
    assert guests.start(run_dir, guests.LOOP).status().state == "running"


def test_what_can_be_seen_before_the_start(run_dir: Path) -> None:
    with pytest.raises(VmError, match=r"there is no file .*missing\.img"):
        start_vm(Host(), run_dir, guests.spec(run_dir / "missing.img"))
    with pytest.raises(HostError, match="'qemu-system-none' is not installed"):
        guests.start(run_dir, guests.LOOP, binary="qemu-system-none")
    assert Vm(run_dir, Host()).status().state == "none"


def test_what_qemu_says_is_in_the_error(run_dir: Path) -> None:
    with pytest.raises(VmError, match=r"(?s)ended right after.*invalid datetime") as caught:
        guests.start(run_dir, guests.LOOP, rtc_base="no-date")
    assert caught.value.log == run_dir / files.STDERR


def test_packets_are_dumped_and_the_previous_dump_is_kept(run_dir: Path) -> None:
    nic = Nic("52-54-00-11-a0-5b", pcap=run_dir / files.PACKETS)
    guests.start(run_dir, guests.LOOP, nic=nic).quit()
    (run_dir / files.PACKETS).write_bytes(b"earlier")
    os.utime(run_dir / files.PACKETS, (1_400_000_000, 1_400_000_000))
    guests.start(run_dir, guests.LOOP, nic=nic).quit()

    dumps = sorted(path.name for path in run_dir.glob("*.pcap*"))
    assert len(dumps) == 2 and dumps[1].startswith("qemu-vlan0.pcap-1405")
    assert (run_dir / dumps[1]).read_bytes() == b"earlier"
    assert (run_dir / files.PACKETS).read_bytes()[:4] == bytes.fromhex("d4c3b2a1")


def test_forwarded_ports_listen_on_the_loopback(run_dir: Path) -> None:
    host_port = guests.free_display() + 5900
    nic = Nic("52-54-00-11-a0-5b", mode="user", forwards=((host_port, 3389),))
    vm = guests.start(run_dir, guests.LOOP, nic=nic)
    with socket.create_connection(("127.0.0.1", host_port), timeout=10):
        pass
    assert vm.status().state == "running"


def test_a_claim_on_a_digit_lives_as_long_as_the_vm(run_dir: Path) -> None:
    locks = run_dir / "locks"
    first = ports.claim_digit(8, run_dir, lock_dir=locks)
    vm = guests.start(run_dir, guests.LOOP, hold_fds=(first.fd,))
    os.close(first.fd)

    second = ports.claim_digit(first.digit, run_dir / "other", lock_dir=locks)
    assert second.digit != first.digit
    vm.kill()
    third = ports.claim_digit(first.digit, run_dir / "other", lock_dir=locks)
    assert third.digit == first.digit
    os.close(second.fd)
    os.close(third.fd)


def test_nothing_else_of_ours_is_inherited_by_qemu(run_dir: Path) -> None:
    with (run_dir / "private").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        vm = guests.start(run_dir, guests.LOOP)
        fds = Path(f"/proc/{vm.status().pid}/fd")
        assert all("private" not in str(fd.readlink()) for fd in fds.iterdir())


def test_waiting_for_events(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    place = vm.event_count()
    vm.pause()
    assert vm.wait_event("STOP", Deadline(5), after=place).name == "STOP"
    with pytest.raises(GuestTimeout, match="RESUME"):
        vm.wait_event("RESUME", Deadline(0.2))
    place = vm.event_count()
    threading.Timer(0.2, vm.quit).start()
    with pytest.raises(VmError, match="stopped by winbuild"):
        vm.wait_event(["RESET", "RESUME"], Deadline(10), after=place)


def test_the_machine_type_is_pinned(run_dir: Path) -> None:
    full_name = pinned_machine(Host(), "qemu-system-x86_64")
    assert full_name.startswith("pc-i440fx-")
    assert pinned_machine(Host(), "qemu-system-x86_64", full_name) == full_name
    disk = guests.make_disk(run_dir, guests.LOOP)
    vm = start_vm(Host(), run_dir, replace(guests.spec(disk), machine="pc"))
    command = Path(f"/proc/{vm.status().pid}/cmdline").read_bytes()
    assert full_name.encode() in command
