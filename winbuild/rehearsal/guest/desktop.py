"""The desktop: icon, taskbar, and the windows that come by themselves. Imports Pillow."""

from __future__ import annotations

import time

from PIL import Image, ImageDraw

from . import shell, trouble, widgets
from .computer import Computer
from .dialogs import clicked
from .display import Box
from .keyboard import PointerEvent
from .looks import WHITE, Colour
from .stage import Stage, Steps, Window
from .widgets import TASKBAR_PX

POWERSHELL_TILE: Colour = (20, 80, 170)
ICON_PX = 28
BUTTON_PX = 52  # one place of the taskbar
CHANCE_BEHIND = 0.35  # how often another window comes in front of the console


def run(computer: Computer) -> Steps[None]:
    """A signed-in session; it ends only with the machine."""
    yield from trouble.at(computer.stage, "desktop")
    yield from _Desktop(computer).run()


class _Desktop:
    def __init__(self, computer: Computer) -> None:
        self.computer = computer
        self.stage = computer.stage
        width, height = self.stage.size
        picture = Image.new("RGB", (width, TASKBAR_PX))
        self.taskbar = Window(0, height - TASKBAR_PX, picture, takes_focus=False, layer=2)
        self.icons: list[Box] = [
            (12 + n * BUTTON_PX, 0, 12 + (n + 1) * BUTTON_PX, TASKBAR_PX) for n in range(4)
        ]
        self.server_manager: Window | None = None
        self.console: shell.PowerShell | None = None
        self.opening = False

    def run(self) -> Steps[None]:
        image = widgets.wallpaper(self.stage.size, self.stage.look, "desktop")
        _draw_recycle_bin(self.stage, image)
        self.stage.set_backdrop(image)
        yield self.stage.pause(0.2, 0.8)
        self._draw_taskbar()
        self.stage.show_window(self.taskbar)
        self.stage.start(self._clock())
        if self.stage.system.switch("powershell") != "behind":
            self.stage.start(self._own_window(self.stage.pause(1.0, 3.0)))
        while True:
            event = yield self.taskbar
            if isinstance(event, PointerEvent):
                icon = clicked(self.icons, event, self.taskbar.left, self.taskbar.top)
                if icon == 1:
                    self._toggle(self.server_manager)
                elif icon == 2:
                    self._powershell_clicked()

    def _clock(self) -> Steps[None]:
        while True:
            yield 20.0
            self._draw_taskbar()

    # ---- windows

    def _toggle(self, window: Window | None) -> None:
        """A click on the taskbar raises a window, or puts it away if it is in front already."""
        if window is None:
            return
        if window is self.stage.focused():
            self.stage.hide_window(window)
        else:
            self.stage.show_window(window)

    def _powershell_clicked(self) -> None:
        if self.console is not None:
            self._toggle(self.console.window)
        elif not self.opening:
            self.opening = True
            self.stage.start(self._open_powershell())

    def _open_powershell(self) -> Steps[None]:
        yield 1.0 + self.stage.pause(0.0, 0.7)
        self.console = shell.PowerShell(self.computer, 130, 90)
        self.opening = False
        task = self.stage.start(self.console.run())
        if self._comes_in_front():
            self.stage.start(self._own_window(self.stage.pause(0.1, 0.6)))
        self._draw_taskbar()
        yield task
        self.console = None
        self._draw_taskbar()

    def _comes_in_front(self) -> bool:
        wanted = self.stage.system.switch("powershell")
        if wanted in ("front", "behind"):
            return wanted == "behind"
        return self.stage.chance.random() < CHANCE_BEHIND

    def _own_window(self, after_s: float) -> Steps[None]:
        """Server Manager opens by itself, whenever it is ready, in front of all others."""
        yield after_s
        if self.server_manager is None:
            self.server_manager = _draw_server_manager(self.stage)
        window = self.server_manager
        self.stage.show_window(window)
        close = (window.image.width - 48, 1, window.image.width - 4, 20)
        while True:
            event = yield window
            if isinstance(event, PointerEvent) and (
                clicked([close], event, window.left, window.top) is not None
            ):
                self.stage.hide_window(window)

    # ---- pictures

    def _draw_taskbar(self) -> None:
        image = self.taskbar.image
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, image.width, TASKBAR_PX), fill=self.stage.look.taskbar)
        for icon, box in zip(_ICONS, self.icons, strict=True):
            left = (box[0] + box[2] - ICON_PX) // 2
            icon(draw, left, (TASKBAR_PX - ICON_PX) // 2)
        if self.console is not None:
            box = self.icons[2]
            draw.rectangle((box[0] + 4, 37, box[2] - 5, 39), fill=self.stage.look.accent)
        right = image.width - 50
        for key, y in (("desktop.clock", 4), ("desktop.date", 21)):
            words = time.strftime(self.stage.texts(key))
            widgets.text(image, (right, y), words, 12, WHITE, anchor="ma")
        self.taskbar.changed()


def _start_icon(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    for x, y in ((4, 4), (15, 4), (4, 15), (15, 15)):
        draw.rectangle((left + x, top + y, left + x + 9, top + y + 9), fill=(190, 220, 245))


def _manager_icon(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    draw.rectangle((left + 3, top + 3, left + 24, top + 24), fill=(205, 205, 210))
    draw.rectangle((left + 6, top + 7, left + 21, top + 10), fill=(90, 90, 100))
    draw.rectangle((left + 6, top + 14, left + 15, top + 21), fill=(176, 90, 40))


def _powershell_icon(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    """A blue tile with ">_" in white."""
    draw.rectangle((left, top + 2, left + 27, top + 25), fill=POWERSHELL_TILE)
    draw.line(((left + 6, top + 7), (left + 13, top + 13), (left + 6, top + 19)), WHITE, 3)
    draw.line(((left + 14, top + 20), (left + 21, top + 20)), WHITE, 3)


def _folder_icon(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    draw.rectangle((left + 2, top + 5, left + 14, top + 12), fill=(214, 170, 70))
    draw.rectangle((left + 2, top + 9, left + 25, top + 23), fill=(245, 212, 120))


_ICONS = (_start_icon, _manager_icon, _powershell_icon, _folder_icon)


def _draw_recycle_bin(stage: Stage, image: Image.Image) -> None:
    draw = ImageDraw.Draw(image)
    draw.polygon(((26, 20), (62, 20), (57, 58), (31, 58)), fill=(225, 235, 242), outline=WHITE)
    draw.ellipse((26, 14, 62, 26), fill=(200, 215, 226), outline=WHITE)
    words = stage.texts("desktop.recycle-bin")
    widgets.text(image, (45, 65), words, 13, (0, 0, 0), anchor="ma")
    widgets.text(image, (44, 64), words, 13, WHITE, anchor="ma")


def _draw_server_manager(stage: Stage) -> Window:
    size = (800, 560)
    window = Window(180, 40, Image.new("RGB", size))

    def draw(front: bool) -> None:
        texts, image = stage.texts, window.image
        title = texts("server-manager.title")
        inside = widgets.window(image, (0, 0, *size), title, stage.look, front=front)
        pen = ImageDraw.Draw(image)
        pen.rectangle((*inside[:2], inside[2] - 1, inside[3] - 1), fill=WHITE)
        pen.rectangle((inside[0], inside[1], inside[0] + 220, inside[3] - 1), fill=(245, 246, 248))
        for row, item in enumerate(texts("server-manager.items").split("|")):
            widgets.text(image, (inside[0] + 16, inside[1] + 20 + 34 * row), item, 13)
        heading = texts("server-manager.heading")
        widgets.text(image, (inside[0] + 250, inside[1] + 20), heading, 18, stage.look.link)
        widgets.text(image, (inside[0] + 280, inside[1] + 90), texts("server-manager.body"), 16)
        window.changed()

    window.on_focus = draw
    return window
