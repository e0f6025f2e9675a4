"""What a person does: keys of every keyboard, and the absolute pointer (QEMU's usb-tablet).

A thread of its own reads the kernel's input devices, because their buffers hold some twenty
key strokes only and drawing takes long under emulation. Devices plugged in later are not seen.
"""

from __future__ import annotations

import fcntl
import os
import queue
import selectors
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .keyboard import KEY_NAMES, Event, KeyboardState, Layout, PointerEvent

EVIOCGRAB = 0x40044590  # linux/input.h
EVIOCGBIT_KEY = 0x80604521  # EVIOCGBIT(EV_KEY, 96 bytes)
EVIOCGBIT_ABS = 0x80084523  # EVIOCGBIT(EV_ABS, 8 bytes)
EVIOCGABS_X, EVIOCGABS_Y = 0x80184540, 0x80184541
INPUT_EVENT = struct.Struct("llHHi")  # seconds, microseconds, type, code, value
EV_SYN, EV_KEY, EV_ABS = 0, 1, 3
KEY_A, BTN_LEFT = 30, 0x110
BUTTONS: dict[int, Literal["left", "right", "middle"]] = {
    0x110: "left",
    0x111: "right",
    0x112: "middle",
}


@dataclass
class Device:
    """One input device of the kernel; `ranges` are the limits of x and y of a tablet."""

    file: int
    ranges: tuple[tuple[int, int], tuple[int, int]] | None = None


RawEvent = tuple[Device, int, int, int]  # type, code, value


def find_devices(folder: Path = Path("/dev/input")) -> list[Device]:
    """Every keyboard and absolute pointer. Keyboards are grabbed: Ctrl+Alt+Del is Windows'."""
    devices = []
    for path in sorted(folder.glob("event*")):
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        keys = fcntl.ioctl(file, EVIOCGBIT_KEY, bytes(96))
        axes = fcntl.ioctl(file, EVIOCGBIT_ABS, bytes(8))
        if axes[0] & 3 == 3 and _has_bit(keys, BTN_LEFT):
            limits = [
                struct.unpack_from("3i", fcntl.ioctl(file, request, bytes(24)))[1:]
                for request in (EVIOCGABS_X, EVIOCGABS_Y)
            ]
            devices.append(Device(file, (limits[0], limits[1])))
        elif _has_bit(keys, KEY_A):
            fcntl.ioctl(file, EVIOCGRAB, 1)
            devices.append(Device(file))
        else:
            os.close(file)
    return devices


def _has_bit(bits: bytes, number: int) -> bool:
    return bool(bits[number // 8] >> (number % 8) & 1)


class Inputs:
    """Events of all devices in their order. `use_layout` says what the keys type."""

    def __init__(self, screen_size: tuple[int, int] = (1024, 768), layout: str = "us") -> None:
        self._size = screen_size
        self._keyboard = KeyboardState(Layout.load(layout))
        self._raw: queue.SimpleQueue[RawEvent] = queue.SimpleQueue()
        self._x, self._y = 0, 0

    @classmethod
    def open(
        cls,
        screen_size: tuple[int, int] = (1024, 768),
        layout: str = "us",
        devices: Iterable[Device] | None = None,
    ) -> Inputs:
        """The given devices; all that the kernel has now unless they are given."""
        inputs = cls(screen_size, layout)
        selector = selectors.DefaultSelector()
        for device in find_devices() if devices is None else devices:
            selector.register(device.file, selectors.EVENT_READ, device)
        reader = threading.Thread(target=inputs._read, args=(selector,), daemon=True)
        reader.start()
        return inputs

    def use_layout(self, name: str) -> None:
        """From now on the keys type as on the keyboard `name`: "us", "jp106", "de"."""
        self._keyboard.layout = Layout.load(name)

    def next_event(self, timeout_s: float | None = None) -> Event | None:
        """The next event; None when nothing happens within `timeout_s` (None: for ever)."""
        while True:
            try:
                raw = self._raw.get(timeout=timeout_s) if timeout_s else self._get_now(timeout_s)
            except queue.Empty:
                return None
            event = self._event(*raw)
            if event is not None:
                return event

    def _get_now(self, timeout_s: float | None) -> RawEvent:
        return self._raw.get() if timeout_s is None else self._raw.get_nowait()

    def _read(self, selector: selectors.BaseSelector) -> None:
        while True:
            for key, _ in selector.select():
                device: Device = key.data
                try:
                    chunk = os.read(device.file, INPUT_EVENT.size * 64)
                except OSError:
                    selector.unregister(device.file)
                    continue
                for _, _, kind, code, value in INPUT_EVENT.iter_unpack(chunk):
                    self._raw.put((device, kind, code, value))

    def _event(self, device: Device, kind: int, code: int, value: int) -> Event | None:
        if kind == EV_KEY and code in KEY_NAMES:
            return self._keyboard.event(KEY_NAMES[code], value != 0)  # 2 is a repeated press
        if device.ranges is None:
            return None
        if kind == EV_ABS and code < 2:
            low, high = device.ranges[code]
            pixel = round((value - low) * (self._size[code] - 1) / max(1, high - low))
            if code == 0:
                self._x = pixel
            else:
                self._y = pixel
        elif kind == EV_SYN:
            return PointerEvent(self._x, self._y)
        elif kind == EV_KEY and code in BUTTONS:
            return PointerEvent(self._x, self._y, BUTTONS[code], bool(value))
        return None
