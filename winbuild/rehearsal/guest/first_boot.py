"""What the guest's PowerShell scripts do at the first boot and at every boot.

They are started as Windows starts them: by SetupComplete.cmd and by the scheduled task, with
their output going where those redirect it. Everything comes from the folder `meta-data` of the
volume METADATA. A step that fails is logged, and the next one is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

from . import power, rsa_oaep, trouble
from .cmd import Cmd, Invocation
from .computer import ADMINISTRATOR
from .stage import Steps

LABEL = "METADATA"
WAIT_FOR_VOLUME_S = 5.0
ALPHABETS = ("abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "!#$%&*+-=?@")
PASSWORD_CHARS = 14
TERMINAL_SERVER = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"
ADAPTERS = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces"
HOSTS_MARK = "do not modify"
AGENT_CONFIG = "C:\\Program Files\\ZABBIX Agent\\zabbix_agentd.conf"


class _Run:
    """One run of one of the scripts."""

    def __init__(self, call: Invocation) -> None:
        self.call, self.computer = call, call.computer
        self.folder = Path()

    def log(self, text: str) -> None:
        self.call.out(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.log(f"{name} ...")
        try:
            yield
            self.log(f"{name} done")
        except (OSError, ValueError) as exc:
            self.log(f"{name} FAILED: {exc}")

    def find_folder(self) -> Steps[bool]:
        """Wait for the volume, which may come late; is its folder there?"""
        waited_s = 0.0
        while waited_s <= WAIT_FOR_VOLUME_S:
            drives = self.computer.system.drives()
            for letter, label in self.computer.system.volume_labels().items():
                if label.upper() == LABEL and letter in drives:
                    folder = self.computer.drives.existing(f"{letter}:\\meta-data")
                    if folder is None or not folder.is_dir():
                        self.log(f"meta-data FAILED: there is no folder {letter}:\\meta-data")
                        return False
                    self.folder = folder
                    return True
            yield 0.5
            waited_s += 0.5
        self.log(f"meta-data FAILED: there is no volume {LABEL}")
        return False

    def text(self, name: str) -> str:
        """A file of the meta-data without the blanks around it; "" if it is not there."""
        file = self.folder / name
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""

    def program(self, line: str) -> Steps[int]:
        inner = Cmd(self.computer, lambda text: self.call.out(f"    {text}"))
        code = yield from inner.run_line(line)
        if code:
            self.log(f"{line.split()[0]} ended with {code}")
        return code


def _set_network(run: _Run, adapters: Path = Path("/sys/class/net")) -> None:
    ours = {
        file.read_text().strip().lower()
        for file in adapters.glob("*/address")
        if file.parent.name != "lo"
    }
    macs = run.folder / "network" / "interfaces" / "macs"
    for entry in sorted(macs.iterdir()) if macs.is_dir() else []:
        address = entry.name.lower().replace("-", ":")
        if address not in ours:
            run.log(f"there is no network adapter {entry.name}")
            continue
        key = f"{ADAPTERS}\\{address}"
        names = ("local-ipv4s", "x-netmask", "x-gateway", "x-dns")
        found = {name: run.text(f"network/interfaces/macs/{entry.name}/{name}") for name in names}
        for name, value in found.items():
            run.computer.registry.add(key, name, "REG_SZ", value)
        run.log(f"{entry.name}: " + ", ".join(f"{k} {v}" for k, v in found.items() if v))


def _rename(run: _Run) -> None:
    name = run.text("local-hostname")
    if name and name != run.computer.name:
        run.computer.rename(name)
        run.log(f"the computer name will be {name} after the next start")


def _firewall(run: _Run) -> Steps[None]:
    if not (run.folder / "enable-firewall").exists():
        yield from run.program("netsh.exe advfirewall set currentprofile state off")
        return
    for name, way, protocol, ports in (
        ("wakame-zabbix-in", "in", "TCP", "10050-10051"),
        ("wakame-zabbix-out", "out", "TCP", "10050-10051"),
        ("wakame-rdp-tcp", "in", "TCP", "3389"),
        ("wakame-rdp-udp", "in", "UDP", "3389"),
    ):
        yield from run.program(
            f"netsh.exe advfirewall firewall add rule name={name} dir={way} action=allow"
            f" protocol={protocol} localport={ports}"
        )


def _remote_desktop(run: _Run) -> None:
    registry = run.computer.registry
    registry.add(TERMINAL_SERVER, "fDenyTSConnections", "REG_DWORD", "0")
    registry.add(f"{TERMINAL_SERVER}\\WinStations\\RDP-Tcp", "UserAuthentication", "REG_DWORD", "0")


def generate_password() -> str:
    """At least one character of each alphabet, in any order."""
    chance = SystemRandom()
    chars = [chance.choice(alphabet) for alphabet in ALPHABETS]
    everything = "".join(ALPHABETS)
    chars += [chance.choice(everything) for _ in range(PASSWORD_CHARS - len(chars))]
    chance.shuffle(chars)
    return "".join(chars)


def _set_password(run: _Run) -> None:
    key = rsa_oaep.read_public_key(run.text("public-keys/0/openssh-key"))
    password = generate_password()
    encrypted = rsa_oaep.encrypt(password.encode(), *key)
    run.computer.accounts.set_password(ADMINISTRATOR, password)
    (run.folder / "pw.enc").write_bytes(encrypted)


def _hosts(run: _Run) -> None:
    folder = run.folder / "extra-hosts"
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    entries = [f"{run.text(f'extra-hosts/{name}')} {name}" for name in names]
    file = run.computer.file("C:\\Windows\\System32\\drivers\\etc\\hosts")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    mark = next((n for n, line in enumerate(lines) if HOSTS_MARK in line.lower()), len(lines))
    lines = [*lines[:mark], f"# Wakame writes what follows at every boot: {HOSTS_MARK}", *entries]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\r\n")


def _activate(run: _Run) -> Steps[None]:
    if not (run.folder / "auto-activate").is_dir():
        run.log("not asked for")
        return
    proxy = run.text("auto-activate/auto-activate-proxy")
    if proxy:
        yield from run.program(f"netsh.exe winhttp set proxy {proxy}")
    yield from run.program("cscript.exe //b //nologo C:\\Windows\\System32\\slmgr.vbs /ato")
    if proxy:
        yield from run.program("netsh.exe winhttp reset proxy")


def _agent(run: _Run) -> None:
    file = run.computer.drives.existing(AGENT_CONFIG)
    if file is None:
        run.log(f"there is no {AGENT_CONFIG}")
        return
    servers = run.text("x-monitoring/zabbix-servers").replace(",", " ").split()
    wanted = {
        "Hostname": run.text("instance-id"),
        "ListenIP": run.text("local-ipv4"),
        "Server": ",".join(servers),
    }
    lines = file.read_text(encoding="utf-8").splitlines()
    for name, value in wanted.items():
        if value:
            places = [n for n, line in enumerate(lines) if line.lstrip("# ").startswith(f"{name}=")]
            lines[slice(places[0], places[0] + 1) if places else slice(len(lines), None)] = [
                f"{name}={value}"
            ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\r\n")


def _power_off(run: _Run) -> None:
    run.log("powering off")
    power.begin(run.computer.stage)


def first_boot(call: Invocation) -> Steps[int]:
    """wakame-init-first-boot.ps1: makes a copy of the image into an instance, powers off."""
    run = _Run(call)
    run.log("first boot")
    yield from trouble.at(run.computer.stage, "first-boot")
    if not (yield from run.find_folder()):
        return 1
    with run.step("network"):
        _set_network(run)
    with run.step("boot policy"):
        yield from run.program("bcdedit.exe /set bootstatuspolicy ignoreallfailures")
    with run.step("computer name"):
        _rename(run)
    with run.step("firewall"):
        yield from _firewall(run)
    with run.step("remote desktop"):
        _remote_desktop(run)
    with run.step("task for every boot"):
        script = "C:\\Windows\\Setup\\Scripts\\wakame-init-every-boot.cmd"
        yield from run.program(
            f'schtasks.exe /create /tn "Wakame Init" /sc onstart /ru System /tr {script} /f'
        )
    with run.step("password"):
        _set_password(run)
    with run.step("hosts file"):
        _hosts(run)
    with run.step("activation"):
        yield from _activate(run)
    _power_off(run)
    return 0


def every_boot(call: Invocation) -> Steps[int]:
    """wakame-init-every-boot.ps1: applies the meta-data again."""
    run = _Run(call)
    run.log("boot")
    if not (yield from run.find_folder()):
        return 1
    with run.step("network"):
        _set_network(run)
    with run.step("hosts file"):
        _hosts(run)
    with run.step("activation"):
        yield from _activate(run)
    if (run.folder / "first-boot").exists():
        with run.step("password"):
            _set_password(run)
        _power_off(run)
        return 0
    with run.step("monitoring agent"):
        _agent(run)
    return 0


SCRIPTS: dict[str, Callable[[Invocation], Steps[int]]] = {
    "wakame-init-first-boot.ps1": first_boot,
    "wakame-init-every-boot.ps1": every_boot,
}
