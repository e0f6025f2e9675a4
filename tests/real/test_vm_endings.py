"""How a VM ended, told apart afterwards, with nobody of winbuild watching."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_guests as guests

from winbuild.deadline import Deadline
from winbuild.errors import GuestTimeout
from winbuild.host import Host
from winbuild.vm import files
from winbuild.vm.vm import Vm

pytestmark = pytest.mark.real


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    Vm(tmp_path, Host()).kill()


def watcher_of(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def running_pid(vm: Vm) -> int:
    pid = vm.status().pid
    assert pid is not None
    return pid


def test_power_off_by_the_guest(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.POWER_OFF)
    ended = vm.wait_for_poweroff(Deadline(20))
    assert (ended.state, ended.cause) == ("shutdown", "guest-shutdown")
    assert ended.pid is not None and vm.query_status()["status"] == "shutdown"
    assert vm.screendump().startswith(b"P6\n")

    vm.quit()

    after = Vm(run_dir, Host()).status()
    assert (after.state, after.cause, after.pid) == ("shutdown", "guest-shutdown", None)
    assert after.since == ended.since
    vm.quit()  # once more does nothing
    assert vm.status() == after


def test_power_off_stays_one_whoever_ends_qemu_afterwards(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.POWER_OFF)
    pid = vm.wait_for_poweroff(Deadline(20)).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    guests.wait_until(lambda: vm.status().pid is None, "the end of QEMU")
    assert vm.status().cause == "guest-shutdown"


def test_a_reset_is_no_power_off(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.RESET_ONCE_THEN_OFF)
    assert vm.wait_for_poweroff(Deadline(20)).cause == "guest-shutdown"
    assert (vm.boots(), vm.resets()) == (2, 1)
    assert sum(b'"RESET"' in line for line in (run_dir / files.EVENTS).open("rb")) > 1


def test_a_guest_that_resets_for_ever_is_running(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.RESET_FOR_EVER)
    looks: list[int] = []
    with pytest.raises(GuestTimeout, match="switch itself off"):
        vm.wait_for_poweroff(Deadline(3), on_idle=lambda: looks.append(vm.resets()))
    assert vm.status().state == "running"
    assert 1 <= looks[-1] <= 4


def test_a_panic_of_the_guest(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.PANIC)
    ended = vm.wait_for_poweroff(Deadline(20))
    assert (ended.state, ended.cause) == ("crashed", "panicked")
    vm.quit()
    assert vm.status().cause == "panicked"


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_signal_from_outside(run_dir: Path, signal_number: signal.Signals) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    os.kill(running_pid(vm), signal_number)
    ended = vm.wait_for_poweroff(Deadline(20))
    assert (ended.state, ended.cause) == ("crashed", f"killed by signal {signal_number.value}")
    # The directory is free for another start.
    assert guests.start(run_dir, guests.LOOP).status().state == "running"


def test_killed_with_its_watcher(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    pid = running_pid(vm)
    os.kill(watcher_of(pid), signal.SIGKILL)
    assert vm.status().state == "running"
    os.kill(pid, signal.SIGKILL)
    ended = vm.wait_for_poweroff(Deadline(20))
    assert ended.state == "crashed" and "nothing was left" in ended.cause


def test_the_watcher_does_not_mind_signals_of_a_session_that_ends(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    pid = running_pid(vm)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(watcher_of(pid), number)
    os.kill(pid, signal.SIGKILL)
    assert vm.wait_for_poweroff(Deadline(20)).cause == "killed by signal 9"


@pytest.mark.parametrize("method", ["quit", "kill"])
def test_stopped_by_winbuild(run_dir: Path, method: str) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    getattr(vm, method)()
    ended = Vm(run_dir, Host()).status()
    assert (ended.state, ended.cause, ended.pid) == ("none", "stopped by winbuild", None)


def test_a_qemu_that_does_not_answer_is_killed(run_dir: Path, monkeypatch: object) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    os.kill(running_pid(vm), signal.SIGSTOP)
    monkeypatch.setattr("winbuild.vm.vm.QUIT_LIMIT_S", 0.5)  # type: ignore[attr-defined]
    vm.quit()
    assert vm.status().cause == "stopped by winbuild"


def test_quit_by_a_person_at_the_monitor(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    vm.execute("quit")
    ended = vm.wait_for_poweroff(Deadline(20))
    assert (ended.state, ended.cause) == ("none", "stopped through its monitor")


def test_the_pid_of_another_process_is_not_taken_for_qemu(run_dir: Path) -> None:
    vm = guests.start(run_dir, guests.LOOP)
    vm.kill()
    # Another program, in this very directory.
    with subprocess.Popen(["sleep", "60"], cwd=run_dir) as sleeper:
        (run_dir / files.PID).write_text(f"{sleeper.pid}\n")
        assert vm.status().pid is None
        vm.kill()
        vm.quit()
        assert sleeper.poll() is None
        sleeper.kill()
    # A QEMU, but of another directory.
    other = run_dir / "other"
    theirs = guests.start(other, guests.LOOP)
    (run_dir / files.PID).write_text(f"{running_pid(theirs)}\n")
    vm.kill()
    assert theirs.status().state == "running"
    theirs.kill()


def test_winbuild_killed_while_the_vm_lives_on(run_dir: Path) -> None:
    """The process that starts the VM kills itself; the guest then restarts and powers off."""
    starter = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(guests.__file__).parent)!r})
        from pathlib import Path
        import tiny_guests
        tiny_guests.start(Path({str(run_dir)!r}), tiny_guests.RESET_ONCE_THEN_OFF)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    # Its whole process group goes, as with a terminal that is closed.
    done = subprocess.run([sys.executable, "-c", starter], timeout=60, start_new_session=True)
    assert done.returncode == -signal.SIGKILL

    vm = Vm(run_dir, Host())
    guests.wait_until(lambda: vm.status().state != "running", "the power-off")
    status = vm.status()
    assert (status.state, status.cause) == ("shutdown", "guest-shutdown")
    assert (vm.boots(), vm.resets()) == (2, 1)
    vm.quit()


def test_the_hosts_disk_is_full(run_dir: Path) -> None:
    """In a mount namespace of its own, so that a small file system can be had without root."""
    script = textwrap.dedent(f"""
        import os, sys
        sys.path.insert(0, {str(Path(guests.__file__).parent)!r})
        from pathlib import Path
        import tiny_guests
        from winbuild.deadline import Deadline
        from winbuild.errors import VmError
        from winbuild.host import Host
        from winbuild.vm.launch import start_vm

        run_dir = Path({str(run_dir)!r})
        disk = tiny_guests.make_disk(run_dir, tiny_guests.FILLS_ITS_DISK)
        os.truncate(disk, 64 << 20)
        vm = start_vm(Host(), run_dir, tiny_guests.spec(disk))
        try:
            vm.wait_for_poweroff(Deadline(30))
        except VmError as exc:
            print(exc.message, vm.status().state, sep="; ")
        # Room is made, and the guest goes on where it stood.
        os.system(f"mount -o remount,size=100m {str(run_dir)!r}")
        written = vm.block_stats()["disk0"].written_bytes
        vm.resume()
        tiny_guests.wait_until(
            lambda: vm.block_stats()["disk0"].written_bytes > written, "more writes"
        )
        print(vm.status().state)
        vm.quit()
    """)
    mount = 'mount -t tmpfs -o size=1600k none "$1" && exec "$2" -c "$3"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", run_dir, sys.executable, script],
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "the VM stands still: the host's disk is full; paused",
        "running",
    ], done.stderr
