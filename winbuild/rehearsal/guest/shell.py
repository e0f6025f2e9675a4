"""The PowerShell window: a console that echoes what is typed and runs it. Imports Pillow."""

from __future__ import annotations

from PIL import Image, ImageDraw

from . import powershell, trouble, widgets
from .cmd import Cmd
from .computer import ADMINISTRATOR, Computer
from .keyboard import KeyEvent
from .looks import CONSOLE_BLUE
from .stage import Steps, Task, Window
from .widgets import CONSOLE_COLUMN_PX, CONSOLE_ROW_PX

COLUMNS, ROWS = 88, 26
HOME = f"C:\\Users\\{ADMINISTRATOR}"
SIZE = (COLUMNS * CONSOLE_COLUMN_PX + 24, ROWS * CONSOLE_ROW_PX + widgets.TITLE_BAR_PX + 4)


class PowerShell:
    """One console window. `run` is its task and ends when the window is closed."""

    def __init__(self, computer: Computer, left: int, top: int) -> None:
        self.computer = computer
        self.stage = computer.stage
        self.window = Window(left, top, Image.new("RGB", SIZE), on_focus=self._draw_frame)
        self.window.on_paint = self._draw_rows
        self.cmd = Cmd(computer, self.write, folder=HOME, user=ADMINISTRATOR)
        self.rows: list[str] = [""]
        self._stale: set[int] = set()
        self._line = ""  # what has been typed behind the prompt
        self._ahead: list[KeyEvent] = []  # typed while a command runs
        self._command: Task[None] | None = None
        self._closed = False

    # ---- picture

    def _draw_frame(self, front: bool) -> None:
        title = self.stage.texts("powershell.title")
        inside = widgets.window(
            self.window.image, (0, 0, *SIZE), title, self.stage.look, front=front
        )
        draw = ImageDraw.Draw(self.window.image)
        draw.rectangle((*inside[:2], inside[2] - 1, inside[3] - 1), fill=CONSOLE_BLUE)
        scroll = (inside[2] - 16, inside[1], inside[2] - 1, inside[3] - 1)
        draw.rectangle(scroll, fill=(230, 230, 230))
        self._stale = set(range(ROWS))
        self.window.changed()

    def _draw_rows(self) -> None:
        """Draw the rows that have changed; typing is faster than drawing every key stroke."""
        first = max(0, len(self.rows) - ROWS)
        for row in sorted(self._stale):
            words = self.rows[first + row] if first + row < len(self.rows) else ""
            picture = widgets.console_line(COLUMNS, words)
            if first + row == len(self.rows) - 1:
                x = 2 + CONSOLE_COLUMN_PX * min(len(words), COLUMNS - 1)
                box = (x, CONSOLE_ROW_PX - 3, x + CONSOLE_COLUMN_PX - 1, CONSOLE_ROW_PX - 2)
                ImageDraw.Draw(picture).rectangle(box, fill=widgets.CONSOLE_TEXT)
            top = widgets.TITLE_BAR_PX + row * CONSOLE_ROW_PX
            self.window.image.paste(picture, (4, top))
            self.window.changed((4, top, 4 + picture.width, top + CONSOLE_ROW_PX))
        self._stale.clear()

    def write(self, text: str) -> None:
        """Put `text` behind what stands there; long lines go on in the next row."""
        before = len(self.rows)
        for char in text:
            if char == "\n":
                self.rows.append("")
                continue
            if len(self.rows[-1]) >= COLUMNS:
                self.rows.append("")
            self.rows[-1] += char
        self._touched(before)

    def _touched(self, rows_before: int) -> None:
        if len(self.rows) > max(rows_before, ROWS):
            self._stale = set(range(ROWS))
        else:
            first = max(0, len(self.rows) - ROWS)
            self._stale.update(range(max(0, rows_before - 1 - first), len(self.rows) - first))
        del self.rows[: max(0, len(self.rows) - 4 * ROWS)]

    def _erase_char(self) -> None:
        if not self.rows[-1] and len(self.rows) > 1:
            self.rows.pop()
            self._stale = set(range(ROWS))
        self.rows[-1] = self.rows[-1][:-1]
        self._touched(len(self.rows))

    def _clear(self) -> None:
        self.rows = [""]
        self._stale = set(range(ROWS))

    # ---- what happens in it

    def run(self) -> Steps[None]:
        """Show the window, greet, and obey until it is closed."""
        texts = self.stage.texts
        self.stage.show_window(self.window)
        yield from trouble.at(self.stage, "powershell")
        yield self.stage.pause(0.2, 0.8)
        self.write(f"{texts('powershell.name')}\n{texts('powershell.copyright')}\n\n")
        yield self.stage.pause(0.1, 0.6)
        self._prompt()
        while not self._closed:
            event = yield self.window
            if isinstance(event, KeyEvent) and event.pressed:
                self._key(event)
        self.stage.hide_window(self.window)

    def _prompt(self) -> None:
        if self.rows[-1]:
            self.write("\n")
        self.write(f"PS {self.cmd.folder}> ")
        self._line = ""
        ahead, self._ahead = self._ahead, []
        for event in ahead:
            self._key(event)

    def _key(self, event: KeyEvent) -> None:
        if event.chord == "ctrl+c":
            self._interrupt()
        elif self._command is not None:
            self._ahead.append(event)
        elif event.chord == "enter":
            line, self._line = self._line, ""
            self.write("\n")
            self._command = self.stage.start(self._obey(line))
        elif event.chord == "esc":
            for _ in self._line:
                self._erase_char()
            self._line = ""
        elif event.key == "backspace":
            if self._line:
                self._line = self._line[:-1]
                self._erase_char()
        elif event.char:
            self._line += event.char
            self.write(event.char)

    def _interrupt(self) -> None:
        """Ctrl+C: the running command ends, or the line that is being typed is given up."""
        command, self._command = self._command, None
        self._ahead = []
        if command is not None:
            self.stage.stop(command)
            self.cmd.scripts.clear()
            self.cmd.out, self.cmd.err = self.write, self.write
        self.write("^C\n" if command is None else "\n")
        self._prompt()

    def _obey(self, line: str) -> Steps[None]:
        word = line.strip().lower()
        if word in ("cls", "clear", "clear-host"):
            self._clear()
        elif word == "exit":
            self._closed = True
            self.stage.hide_window(self.window)
            return
        else:
            code = yield from powershell.run_line(self.cmd, line)
            self.cmd.errorlevel = code
        self._command = None
        self._prompt()
