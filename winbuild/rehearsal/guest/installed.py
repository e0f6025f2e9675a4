"""Windows after its start from the disk: what is left of Setup, then signing in and working.

How far it has come is kept in rehearsal-state.json: the phases are specialize, oobe, ready.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from . import desktop, logon, oobe, pages, trouble
from .computer import Computer
from .contract import System
from .display import Display
from .looks import LOOKS, era_of
from .stage import InputSource, Stage, Steps
from .texts import Texts

STATE_FILE = "Windows/System32/config/rehearsal-state.json"


def run(
    display: Display,
    inputs: InputSource,
    system: System,
    *,
    chance: random.Random | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Run Windows until the machine goes off. Returns only if `system` does from power_off."""
    from .hive import read_json

    root = system.mount_system()
    state = read_json(root / STATE_FILE)
    era = era_of(str(state.get("label", "2012")))
    texts = Texts(str(state.get("language", "en-US")), era)
    stage = Stage(display, inputs, system, texts, LOOKS[era], chance=chance, clock=clock)
    stage.run(_start(Computer(stage, root)))


def _start(computer: Computer) -> Steps[None]:
    stage = computer.stage
    stage.set_backdrop(pages.status_screen(stage.size, stage.look, "", kind="setup"))
    yield stage.pause(0.1, 0.5)
    yield from trouble.at(stage, "boot")
    stage.inputs.use_layout(str(computer.state.get("keyboard") or "us"))
    phase = computer.state.get("phase", "ready")
    if phase == "specialize":
        yield from oobe.specialize(computer)
    if phase in ("specialize", "oobe"):
        yield from oobe.oobe(computer)
    else:
        computer.apply_name()
        stage.start(oobe.run_start_tasks(computer))
    if stage.ending:  # SetupComplete.cmd has said so
        yield from trouble.hang(stage)
    yield from logon.sign_in(computer)
    stage.start(oobe.run_first_logon(computer))
    yield from desktop.run(computer)
