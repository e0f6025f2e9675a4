"""Misbehaviour on demand, for tests of whoever watches: set by switches of the media.

Every part of the guest says where it is with `at(stage, place)`. Switches that name a place:

- `hang=PLACE`: nothing more happens there;
- `blue-screen=PLACE`: a stop screen, and a kernel panic if pvpanic can report it;
- `reboot-loop=PLACE`: a restart whenever it gets there;
- `unexpected-dialog=PLACE`: a dialog that nobody asked for, whose default is bad.

Further ones: `sysprep=fail`, `slow=FACTOR`, `powershell=front|behind`, `extra-reboot=yes`.
Places: boot, specialize, oobe, lock, password, welcome, desktop, powershell, agent-1 ... agent-6,
sysprep, first-boot, shutdown, restart.
"""

from __future__ import annotations

from pathlib import Path

from . import dialogs, pages
from .stage import Stage, Steps

STOP_CODE = ("0x0000007B", "INACCESSIBLE_BOOT_DEVICE")
FOR_EVER_S = 3600.0


def at(stage: Stage, place: str) -> Steps[None]:
    """The guest has come to `place`: log it, and misbehave if a switch says so."""
    stage.system.log(f"at {place}")
    if stage.system.switch("reboot-loop") == place:
        yield stage.pause(0.3, 1.0)
        stage.system.reboot()
    if stage.system.switch("blue-screen") == place:
        yield from _stop(stage)
    if stage.system.switch("hang") == place:
        yield from hang(stage)
    if stage.system.switch("unexpected-dialog") == place:
        stage.start(_dialog(stage))


def hang(stage: Stage) -> Steps[None]:
    """Nothing more happens in this task."""
    while True:
        yield FOR_EVER_S


def _stop(stage: Stage) -> Steps[None]:
    stage.hide_all()
    stage.set_backdrop(pages.blue_screen(stage.size, stage.look, stage.texts, *STOP_CODE))
    yield stage.pause(1.0, 2.0)
    trigger = Path("/proc/sysrq-trigger")
    if any(Path("/sys/module").glob("pvpanic*")) and trigger.exists():
        trigger.write_text("c")
    yield from hang(stage)


def _dialog(stage: Stage) -> Steps[None]:
    """Return restarts at once; only a click on "Later" does no harm."""
    yield stage.pause(0.2, 1.0)
    texts = stage.texts
    labels = [texts("unexpected.restart"), texts("unexpected.later")]
    title, words = texts("unexpected.title"), texts("unexpected.text")
    if (yield from dialogs.ask(stage, title, words, labels, icon=None)) == 0:
        stage.system.reboot()
