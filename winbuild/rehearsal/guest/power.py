"""The end of a session: the screens of shutting down and restarting, then the machine's power."""

from __future__ import annotations

from . import pages
from .stage import Stage, Steps


def begin(stage: Stage, *, restart: bool = False, after_s: float = 0.0) -> None:
    """Let the session end while whoever asked for it goes on, as shutdown.exe does."""
    stage.ending = stage.ending or not after_s
    stage.start(end_session(stage, restart=restart, after_s=after_s))


def end_session(stage: Stage, *, restart: bool = False, after_s: float = 0.0) -> Steps[None]:
    """Say it on the screen, then power off or restart. Does not come back."""
    from . import trouble

    if after_s:
        yield after_s
    stage.ending = True
    stage.hide_all()
    words = stage.texts("restarting" if restart else "shutdown")
    stage.set_backdrop(pages.status_screen(stage.size, stage.look, words, kind="lock"))
    yield from trouble.at(stage, "restart" if restart else "shutdown")
    yield stage.pause(0.8, 2.0)
    if restart:
        stage.system.reboot()
    stage.system.power_off()
