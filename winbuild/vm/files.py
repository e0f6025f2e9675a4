"""The names of a VM's files in its run directory (the build directory), and nothing else.

QEMU runs with the run directory as its working directory and gets these names as they are,
so that the 108 bytes which a unix socket's path may have are never a matter of where the
directory lies. winbuild reaches the sockets through a file descriptor of the directory.
"""

from __future__ import annotations

from pathlib import Path

PID = "kvm.pid"  # decimal pid of QEMU; there only while it runs
MONITOR = "kvm.mon"  # QMP, unix socket
SERIAL = "kvm.serial"  # the guest's first serial port, unix socket
SERIAL_LOG = "kvm.serial.log"  # everything the guest wrote to it
VNC = "kvm.vnc"  # where a VNC viewer finds the screen: HOST:PORT
STDOUT = "kvm.stdout"
STDERR = "kvm.stderr"
EVENTS = "kvm.events"  # JSON lines: every QMP event, and winbuild's own marks
EXIT = "kvm.exit"  # exit status as a shell tells it: 128 + N for signal N
LOCK = "kvm.lock"  # flock: held as long as QEMU or its watcher lives
PACKETS = "qemu-vlan0.pcap"  # packet dump of a test boot

_BOOT_COMMAND = "kvm-boot-cmdline-"


def boot_command(run_dir: Path, timestamp: str) -> Path:
    """Where the command line of the boot at `timestamp` (yymmdd-HHMMSS) is kept.

    A second boot in the same second gets a name of its own.
    """
    path = run_dir / f"{_BOOT_COMMAND}{timestamp}"
    number = 2
    while path.exists():
        path = run_dir / f"{_BOOT_COMMAND}{timestamp}-{number}"
        number += 1
    return path
