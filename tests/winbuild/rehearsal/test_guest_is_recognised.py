"""winbuild's eyes on the guest's screens: each is seen as what it is meant to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guest_world import Person, World
from PIL import Image

from winbuild.rehearsal.guest import pages
from winbuild.rehearsal.guest.looks import LOOKS, era_of
from winbuild.rehearsal.guest.texts import Texts
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.screen import Screen

SIZE = (1024, 768)
AGENT_PAGES = ("welcome", "license", "components", "configuration", "folder", "finished")
EVERY_LOOK = pytest.mark.parametrize(
    ("label", "tag"), [("2012", "en-US"), ("2008", "ja-JP"), ("2008", "en-US"), ("2012", "ja-JP")]
)


class Eyes:
    """Looks at pictures as winbuild looks at the VM's screen."""

    def __init__(self) -> None:
        self.picture = Image.new("RGB", SIZE)
        self.screen = Screen(self, Catalogue.load())  # type: ignore[arg-type]

    def screendump(self) -> bytes:
        header = f"P6\n{self.picture.width} {self.picture.height}\n255\n"
        return header.encode() + self.picture.tobytes()

    def seen(self, picture: Image.Image) -> list[str]:
        """Everything that the picture is taken for."""
        self.picture = picture
        return [sighting.id for sighting in self.screen.seen()]

    def shows(self, picture: Image.Image, name: str) -> bool:
        """Is it taken for this screen? No other is looked for, as a step does it."""
        self.picture = picture
        return self.screen.shows(name) is not None


@pytest.fixture(scope="module")
def eyes() -> Iterator[Eyes]:
    eyes = Eyes()
    yield eyes
    eyes.screen.close()


@pytest.mark.parametrize(("label", "tag"), [("2012", "en-US"), ("2008", "ja-JP")])
def test_the_walk(eyes: Eyes, tmp_path: Path, label: str, tag: str) -> None:
    world = World(tmp_path, powershell="front")
    world.install(label, tag)
    pictures: dict[str, Image.Image] = {}

    def person() -> Person:
        yield world.at("specialize")
        pictures["setup.getting-ready"] = world.screen()
        yield world.at("lock")
        yield 1.0
        pictures["logon.ctrl-alt-delete"] = world.screen()
        world.press("leftctrl", "leftalt", "delete")
        yield world.at("password")
        yield 1.0
        pictures["logon.password"] = world.screen()
        world.type("wrong", world.layout)
        world.press("enter")
        yield 3.0
        pictures["logon.wrong-password"] = world.screen()
        world.press("enter")
        yield 1.0
        world.type("a:run-sysprep", world.layout)
        world.press("enter")
        yield world.at("welcome")
        pictures["logon.welcome"] = world.screen()
        yield world.at("desktop")
        yield 0.9
        pictures["desktop.ready"] = world.screen()
        yield from world.open_console()
        pictures["desktop.powershell"] = world.screen()
        world.type("a:run-sysprep", world.layout)
        world.press("enter")
        for number, page in enumerate(AGENT_PAGES, start=1):
            yield world.at(f"agent-{number}")
            yield 0.2
            pictures[f"zabbix.{page}"] = world.screen()
            world.press("enter")
        yield world.at("sysprep")
        pictures["sysprep.working"] = world.screen()
        yield world.at("shutdown")
        pictures["shutdown.in-progress"] = world.screen()

    world.boot(person())
    assert len(pictures) == 15
    assert [name for name, picture in pictures.items() if not eyes.shows(picture, name)] == []


PAGES: dict[str, Callable[[Texts], Image.Image]] = {
    "setup.language": lambda texts: pages.language_page(SIZE, LOOKS[texts.era], texts),
    "setup.installing": lambda texts: pages.setup_page(
        SIZE,
        LOOKS[texts.era],
        texts("setup.title"),
        texts("setup.installing"),
        [texts("setup.copying"), texts("setup.percent", text=texts("setup.expanding"), percent=43)],
        percent=43,
        current=1,
    ),
    "setup.error": lambda texts: pages.dialog_page(
        SIZE,
        LOOKS[texts.era],
        texts("setup.title.install"),
        texts("setup.error.unattend-file", file="A:\\Autounattend.xml"),
        [texts("setup.ok")],
    ),
    "crash.blue-screen": lambda texts: pages.blue_screen(
        SIZE, LOOKS[texts.era], texts, "0x0000007B", "INACCESSIBLE_BOOT_DEVICE"
    ),
}


@EVERY_LOOK
@pytest.mark.parametrize("name", list(PAGES))
def test_pages(eyes: Eyes, label: str, tag: str, name: str) -> None:
    assert eyes.shows(PAGES[name](Texts(tag, era_of(label))), name)


@pytest.mark.parametrize("tag", ["en-US", "ja-JP"])
def test_a_failed_sysprep(eyes: Eyes, tmp_path: Path, tag: str) -> None:
    world = World(tmp_path, powershell="front", sysprep="fail")
    world.install("2012", tag)
    world.boot(world.run_sysprep())
    assert "sysprep.error" in eyes.seen(world.screen())


def test_a_console_behind_another_window_is_not_ready(eyes: Eyes, tmp_path: Path) -> None:
    world = World(tmp_path, powershell="behind")
    world.install()

    def person() -> Person:
        yield from world.sign_in()
        yield world.at("desktop")
        yield from world.open_console()

    world.boot(person())
    ids = eyes.seen(world.screen())
    assert "desktop.ready" in ids and "desktop.powershell" not in ids


def test_an_unexpected_dialog_hides_the_password_field(eyes: Eyes, tmp_path: Path) -> None:
    world = World(tmp_path, unexpected_dialog="password")
    world.install()

    def person() -> Person:
        yield world.at("lock")
        yield 1.0
        world.press("leftctrl", "leftalt", "delete")
        yield world.at("password")
        yield 5.0

    world.boot(person())
    assert "logon.password" not in eyes.seen(world.screen())
