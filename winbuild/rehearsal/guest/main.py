"""The guest program: Setup when the machine was started from the CD, Windows from the disk."""

from __future__ import annotations

from .display import Display
from .looks import LOOKS, era_of
from .pages import status_screen
from .system import Machine
from .texts import Texts


def main() -> None:
    machine = Machine()
    machine.log(f"started from {machine.boot}")
    display = Display.open()
    era = era_of(machine.media["label"])
    texts, look = Texts(machine.media["language"], era), LOOKS[era]
    first = texts("setup.starting") if machine.boot == "cd" else ""
    display.show(status_screen(display.size, look, first))
    machine.log("the first screen is shown")
    machine.wait_for_drivers()
    machine.log("drivers are loaded")
    from .inputs import Inputs

    inputs = Inputs.open(display.size)
    if machine.boot == "cd":
        from . import setup

        setup.run(display, inputs, machine, texts, look)
    else:
        from . import installed

        installed.run(display, inputs, machine)


if __name__ == "__main__":
    main()
