"""The stand-in for the monitoring agent's installer: six pages that Return leads through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from . import trouble, widgets
from .cmd import Invocation
from .display import Box
from .fonts import width
from .keyboard import KeyEvent, PointerEvent
from .looks import WHITE
from .stage import Stage, Steps, Window

# A file that begins like a Windows program and holds this line is the stand-in.
MAGIC = b"winbuild rehearsal installer"
SIZE = (503, 390)
FOLDER = "C:\\Program Files\\ZABBIX Agent"
CONFIG = """\
# Configuration of the Zabbix agent, as the rehearsal's installer leaves it.
LogFile=C:\\Program Files\\ZABBIX Agent\\zabbix_agentd.log
Server=127.0.0.1
Hostname={hostname}
# ListenIP=0.0.0.0
ListenPort=10050
"""

Body = Callable[[Stage, Image.Image, Box], None]


def is_installer(file: Path) -> bool:
    """Is this the stand-in?"""
    with file.open("rb") as stream:
        head = stream.read(4096)
    return head.startswith(b"MZ") and MAGIC in head


def install(call: Invocation) -> Steps[int]:
    """Show the pages one after the other; returns 0, or 2 when the person cancelled."""
    computer = call.computer
    stage = computer.stage
    yield stage.pause()
    image = Image.new("RGB", SIZE)
    left, top = (stage.size[0] - SIZE[0]) // 2, (stage.size[1] - SIZE[1]) // 2 - 30
    window = Window(left, top, image)
    try:
        for number, (name, buttons, default, body) in enumerate(PAGES, start=1):
            boxes = _draw(stage, image, name, buttons, default, body)
            stage.show_window(window)
            yield from trouble.at(stage, f"agent-{number}")
            pressed = yield from _wait(window, boxes, default)
            if pressed != default:
                return 2
            if name == "folder":
                yield from _copy_files(call, window)
            # The page stays for a while with its buttons off, as a slow program does.
            _draw(stage, image, name, buttons, None, body)
            window.changed()
            yield stage.pause()
    finally:
        stage.hide_window(window)
    return 0


def _wait(window: Window, boxes: list[Box], default: int) -> Steps[int]:
    """The button that was pressed; Return presses the default one. "Back" leads nowhere."""
    while True:
        event = yield window
        if isinstance(event, KeyEvent) and event.pressed:
            if event.chord == "enter":
                return default
            if event.chord == "esc":
                return len(boxes) - 1
        if isinstance(event, PointerEvent) and event.pressed and event.button == "left":
            x, y = event.x - window.left, event.y - window.top
            for index, box in enumerate(boxes):
                if box[0] <= x < box[2] and box[1] <= y < box[3] and index >= default:
                    return index


def _copy_files(call: Invocation, window: Window) -> Steps[None]:
    """The progress page between "Install" and the last page, and the files themselves."""
    stage, computer = call.computer.stage, call.computer
    folder = computer.file(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIG.format(hostname=computer.name)
    config_file = folder / "zabbix_agentd.conf"
    config_file.write_text(config, encoding="utf-8", newline="\r\n")
    (folder / "zabbix_agentd.exe").write_bytes(b"MZ" + MAGIC)
    for percent in (15, 55, 100):
        labels = (stage.texts("agent.back"), stage.texts("agent.next"), stage.texts("agent.cancel"))

        def bar(stage: Stage, image: Image.Image, box: Box, percent: int = percent) -> None:
            line = (box[0], box[1] + 30, box[2], box[1] + 48)
            widgets.progress_bar(image, line, percent, stage.look)

        _draw(stage, window.image, "installing", labels, None, bar, named=True)
        window.changed()
        yield stage.pause(0.1, 0.5)
    computer.registry.add(r"HKLM\SOFTWARE\ZABBIX Agent", "InstallDir", "REG_SZ", FOLDER)


def _draw(
    stage: Stage,
    image: Image.Image,
    name: str,
    buttons: tuple[str, ...],
    default: int | None,
    body: Body,
    *,
    named: bool = False,
) -> list[Box]:
    """Draw a page; without a default all its buttons are off. Returns the buttons' boxes."""
    texts = stage.texts
    whole = (0, 0, *SIZE)
    inside = widgets.window(image, whole, texts("agent.title"), stage.look)
    draw = ImageDraw.Draw(image)
    if name == "welcome":
        draw.rectangle((inside[0], inside[1], inside[2] - 1, inside[3] - 50), fill=WHITE)
        draw.rectangle((inside[0], inside[1], inside[0] + 160, inside[3] - 50), fill=(20, 60, 120))
        area = (inside[0] + 176, inside[1] + 14, inside[2] - 14, inside[3])
        y = widgets.paragraph(image, area, texts("agent.welcome.heading"), 16, style="bold")
        body(stage, image, (area[0], y + 12, area[2], inside[3] - 60))
    else:
        draw.rectangle((inside[0], inside[1], inside[2] - 1, inside[1] + 56), fill=WHITE)
        head = (inside[0] + 16, inside[1] + 8)
        widgets.text(image, head, texts(f"agent.{name}.heading"), 13, style="bold")
        widgets.text(image, (head[0] + 10, head[1] + 22), texts(f"agent.{name}.sub"), 12)
        body(stage, image, (inside[0] + 20, inside[1] + 72, inside[2] - 20, inside[3] - 56))
    draw.line((inside[0], inside[3] - 48, inside[2], inside[3] - 48), fill=(170, 170, 170))
    labels = buttons if named else tuple(texts(f"agent.{button}") for button in buttons)
    off = range(len(labels)) if default is None else range(default)
    return widgets.button_row(image, inside, labels, stage.look, default, tuple(off))


def _words(key: str) -> Body:
    def draw(stage: Stage, image: Image.Image, box: Box) -> None:
        widgets.paragraph(image, box, stage.texts(key), 12)

    return draw


def _license(stage: Stage, image: Image.Image, box: Box) -> None:
    frame = (box[0], box[1], box[2], box[3] - 36)
    ImageDraw.Draw(image).rectangle(frame, fill=WHITE, outline=(130, 130, 130))
    inner = (frame[0] + 8, frame[1] + 6, frame[2] - 8, frame[3])
    widgets.paragraph(image, inner, stage.texts("agent.license.text"), 12)
    foot = (box[0], box[3] - 28, box[2], box[3])
    widgets.paragraph(image, foot, stage.texts("agent.license.foot"), 12)


def _components(stage: Stage, image: Image.Image, box: Box) -> None:
    y = widgets.paragraph(image, box, stage.texts("agent.components.text"), 12) + 12
    draw = ImageDraw.Draw(image)
    draw.rectangle((box[0] + 150, y, box[2], box[3]), fill=WHITE, outline=(130, 130, 130))
    for item in stage.texts("agent.components.items").split("|"):
        draw.rectangle((box[0] + 160, y + 10, box[0] + 171, y + 21), outline=(60, 60, 60))
        widgets.text(image, (box[0] + 161, y + 7), "✓", 12)
        widgets.text(image, (box[0] + 180, y + 8), item, 12)
        y += 22


def _configuration(stage: Stage, image: Image.Image, box: Box) -> None:
    values = ("127.0.0.1", "WIN-REHEARSAL", "10050")
    labels = stage.texts("agent.configuration.fields").split("|")
    for row, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = box[1] + 12 + 38 * row
        widgets.text(image, (box[0], y + 5), label, 12)
        field = (box[0] + 170, y, box[2], y + 24)
        widgets.text_field(image, field, value, stage.look, focused=row == 0)


def _folder(stage: Stage, image: Image.Image, box: Box) -> None:
    y = widgets.paragraph(image, box, stage.texts("agent.folder.text"), 12) + 40
    draw = ImageDraw.Draw(image)
    draw.rectangle((box[0], y, box[2], y + 62), outline=(180, 180, 180))
    label = stage.texts("agent.folder.label")
    wide = width(label, 12)
    draw.rectangle((box[0] + 8, y - 8, box[0] + 16 + wide, y + 8), fill=stage.look.face)
    widgets.text(image, (box[0] + 12, y - 8), label, 12)
    field = (box[0] + 14, y + 20, box[2] - 14, y + 44)
    widgets.text_field(image, field, FOLDER, stage.look, focused=False)


def _finished(stage: Stage, image: Image.Image, box: Box) -> None:
    widgets.text(image, box[:2], stage.texts("agent.finished.text"), 12)
    bar = (box[0], box[1] + 24, box[2], box[1] + 42)
    widgets.progress_bar(image, bar, 100, stage.look)


# Name, buttons in reading order, the default one, what is drawn in the middle.
PAGES: tuple[tuple[str, tuple[str, ...], int, Body], ...] = (
    ("welcome", ("next", "cancel"), 0, _words("agent.welcome.text")),
    ("license", ("back", "agree", "cancel"), 1, _license),
    ("components", ("back", "next", "cancel"), 1, _components),
    ("configuration", ("back", "next", "cancel"), 1, _configuration),
    ("folder", ("back", "install", "cancel"), 1, _folder),
    ("finished", ("back", "close", "cancel"), 1, _finished),
)
