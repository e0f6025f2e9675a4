"""A machine made of folders, a clock that nobody waits for, and a person at its keyboard."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NoReturn

from PIL import Image

from winbuild.media.answer_file import AnswerFile, first_boot_answer_file, install_answer_file
from winbuild.media.sysprep_script import run_sysprep_cmd
from winbuild.rehearsal.guest import installed
from winbuild.rehearsal.guest.agent_installer import MAGIC
from winbuild.rehearsal.guest.display import Display
from winbuild.rehearsal.guest.keyboard import Event, KeyboardState, KeyEvent, Layout, PointerEvent
from winbuild.windows.languages import language
from winbuild.windows.versions import version

GUEST_SCRIPTS = Path(installed.__file__).parents[2] / "guest"
INSTALLER = "zabbix_agent-rehearsal_installer.exe"
POWERSHELL_ICON = (142, 748)
SERVER_MANAGER_ICON = (90, 748)
# A boot that has not ended by then stays on. Seconds of the world's own clock.
PATIENCE_S = 200.0

# A person yields how many seconds to wait, or a condition to wait for.
Person = Generator["float | Callable[[], bool]", None, None]


class Ended(BaseException):
    """The machine went off ("power-off") or restarted ("reboot")."""


class Stuck(AssertionError):
    """Nothing will ever happen any more, or the person has finished."""


class World:
    """Drives as folders under `folder`; `boot` runs the guest until it ends or the person does."""

    def __init__(self, folder: Path, *, seed: int = 1, **switches: str) -> None:
        self.folder = folder
        self.switches = switches
        self.labels = {"A": "", "C": "System"}
        self.log_lines: list[str] = []
        self.chance = random.Random(seed)
        self.now = 1000.0
        self._give_up_at = self.now + PATIENCE_S
        self.layout = "us"
        self._events: deque[Event] = deque()
        self._person: Person | None = None
        self._wanted: float | Callable[[], bool] = lambda: False
        self._keyboard = KeyboardState(Layout.load("us"))
        self.display, self._copy = Display.in_memory()
        for letter in self.labels:
            (folder / letter).mkdir(parents=True)

    # ---- contract.System

    def mount_system(self) -> Path:
        return self.folder / "C"

    def drives(self) -> dict[str, Path]:
        return {letter: self.folder / letter for letter in self.labels}

    def volume_labels(self) -> dict[str, str]:
        return {letter: label for letter, label in self.labels.items() if letter != "C"}

    def reboot(self) -> NoReturn:
        raise Ended("reboot")

    def power_off(self) -> NoReturn:
        raise Ended("power-off")

    def log(self, text: str) -> None:
        self.log_lines.append(text)

    def switch(self, name: str) -> str | None:
        return self.switches.get(name.replace("-", "_"))

    # ---- stage.InputSource

    def use_layout(self, name: str) -> None:
        self.layout = name
        self._keyboard.layout = Layout.load(name)

    def next_event(self, timeout_s: float | None = None) -> Event | None:
        if not self._events and timeout_s != 0:
            self._let_person_act(timeout_s)
        return self._events.popleft() if self._events else None

    def _let_person_act(self, timeout_s: float | None) -> None:
        if self.now > self._give_up_at:
            raise Stuck(f"nothing new for long; the guest was {self.log_lines[-3:]}")
        end = None if timeout_s is None else self.now + timeout_s
        while not self._events:
            if callable(self._wanted):
                if not self._wanted():
                    if end is None:
                        raise Stuck(f"it will never come; the guest was {self.log_lines[-3:]}")
                    self.now = end
                    return
            elif end is not None and self._wanted > end:
                self.now = end
                return
            else:
                self.now = max(self.now, self._wanted)
            self._next_act()

    def _next_act(self) -> None:
        if self._person is None:
            raise Stuck("the person has finished")
        try:
            wanted = next(self._person)
        except StopIteration:
            self._person = None
            raise Stuck("the person has finished") from None
        self._wanted = wanted if callable(wanted) else self.now + wanted

    # ---- what the person can do

    def press(self, *keys: str) -> None:
        """Hold the keys together, by their kernel names."""
        self._events.extend([self._keyboard.event(key, True) for key in keys])
        self._events.extend([self._keyboard.event(key, False) for key in reversed(keys)])

    def type(self, text: str, layout: str = "us") -> None:
        """Press the keys that type `text` on a keyboard labelled as `layout`."""
        keys = Layout.load(layout).keys
        for char in text:
            key, shift = next(
                (key, index)
                for key, chars in keys.items()
                for index in (0, 1)
                if chars[index] == char
            )
            self.press(*(["leftshift"] if shift else []), key)

    def click(self, x: int, y: int) -> None:
        self._events.append(PointerEvent(x, y))
        self._events.append(PointerEvent(x, y, "left", True))
        self._events.append(PointerEvent(x, y, "left", False))

    def at(self, place: str) -> Callable[[], bool]:
        """A condition: the guest has come to `place` since this was called."""
        start = len(self.log_lines)
        return lambda: f"at {place}" in self.log_lines[start:]

    def screen(self) -> Image.Image:
        return self._copy()

    # ---- running

    def boot(self, person: Person | None = None) -> str:
        """Start from the disk. Returns "power-off", "reboot", or "stuck" if it stays on."""
        self._person, self._wanted = person, 0.0 if person is not None else (lambda: False)
        self._give_up_at = self.now + PATIENCE_S
        self._events.clear()
        self.log_lines.clear()
        try:
            installed.run(self.display, self, self, chance=self.chance, clock=lambda: self.now)
        except Ended as end:
            return str(end)
        except Stuck:
            return "stuck"
        return "returned"

    # ---- files

    def file(self, path: str) -> Path:
        return self.folder / path

    def text(self, path: str) -> str:
        return self.file(path).read_bytes().decode().replace("\r\n", "\n")

    def state(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            self.text("C/Windows/System32/config/rehearsal-state.json")
        )
        return found

    def put(self, path: str, content: bytes | str) -> None:
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def install(self, label: str = "2012", tag: str = "en-US", key: str | None = None) -> None:
        """Leave C: and A: as Setup does: files applied, answer file and state written."""
        spec = AnswerFile(version(label), language(tag), "a:run-sysprep", product_key=key)
        self.put("C/Windows/Panther/unattend.xml", install_answer_file(spec))
        self.put("C/Windows/System32/sysprep/sysprep.exe", b"MZ")
        keyboard = {"ja-JP": "jp106", "de-DE": "de"}.get(tag, "us")
        state = {"phase": "specialize", "language": tag, "keyboard": keyboard, "label": label}
        self.put("C/Windows/System32/config/rehearsal-state.json", json.dumps(state))
        for script in [*GUEST_SCRIPTS.glob("*.cmd"), *GUEST_SCRIPTS.glob("*.ps1")]:
            self.put(f"A/{script.name}", script.read_bytes())
        self.put("A/run-sysprep.cmd", run_sysprep_cmd(key, INSTALLER))
        self.put("A/Unattend-for-first-boot.xml", first_boot_answer_file(spec))
        self.put(f"A/{INSTALLER}", b"MZ" + bytes(100) + MAGIC + bytes(100))

    def sign_in(self, password: str = "a:run-sysprep") -> Person:
        """From the lock screen to the desktop."""
        lock = self.at("lock")
        yield lock
        yield 2.0
        self.press("leftctrl", "leftalt", "delete")
        yield self.at("password")
        yield 1.0
        self.type(password, self.layout)
        self.press("enter")

    def open_console(self) -> Person:
        """From the desktop to a prompt in front (with the switch powershell=front)."""
        yield 4.0
        self.click(*POWERSHELL_ICON)
        yield self.at("powershell")
        yield 5.0

    def metadata(self, key: str, **files: str) -> None:
        """Plug the metadata disk in: drive F, labelled METADATA."""
        self.labels["F"] = "METADATA"
        self.put("F/meta-data/public-keys/0/openssh-key", key)
        for name, text in files.items():
            self.put(f"F/meta-data/{name.replace('_', '-')}", text)

    def run_sysprep(self) -> Person:
        """The whole walk from the lock screen to the power-off."""
        yield from self.sign_in()
        yield self.at("desktop")
        yield from self.open_console()
        self.type("a:run-sysprep", self.layout)
        self.press("enter")
        for page in range(1, 7):
            yield self.at(f"agent-{page}")
            yield 0.5
            self.press("enter")
        yield 600.0


__all__ = ["KeyEvent", "Person", "World"]
