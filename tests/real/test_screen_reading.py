"""Tesseract itself reads drawn screens: other sizes, fonts on gradients, look-alikes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from screen_world import FilmVm, drawn_frame

from winbuild.errors import HostError, UsageError
from winbuild.rehearsal.guest import pages
from winbuild.rehearsal.guest.looks import LOOKS
from winbuild.rehearsal.guest.texts import Texts
from winbuild.screen import ocr, replay
from winbuild.screen.areas import Area, Box
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.screen import Screen

pytestmark = pytest.mark.real

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def say(
    pen: ImageDraw.ImageDraw, at: tuple[int, int], words: str, size: int, fill: str = "white"
) -> None:
    pen.text(at, words, fill, ImageFont.truetype(FONT, size), anchor="mm")


def gradient(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (1024, 768))
    pen = ImageDraw.Draw(image)
    for y in range(768):
        share = y / 767
        rgb = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        pen.line([(0, y), (1023, y)], fill=rgb)
    return image


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    screen = Screen(FilmVm([]), Catalogue.load())
    yield screen
    screen.close()


def seen(screen: Screen, image: Image.Image) -> list[str]:
    return [sighting.id for sighting in screen.seen(drawn_frame(image))]


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080)])
@pytest.mark.parametrize("language", ["en-US", "ja-JP"])
def test_setup_is_recognised_at_other_sizes(
    screen: Screen, size: tuple[int, int], language: str
) -> None:
    texts, look = Texts(language, "8"), LOOKS["8"]
    stages = [texts(f"setup.{name}") for name in ("copying", "expanding", "features", "updates")]
    title = texts("setup.title")
    pictures = {
        "setup.language": pages.language_page(size, look, texts),
        "setup.installing": pages.setup_page(
            size, look, title, texts("setup.installing"), stages, percent=30, current=0
        ),
        "setup.restarting": pages.setup_page(size, look, title, texts("setup.restart")),
        "setup.error": pages.dialog_page(
            size, look, title, texts("setup.error.license"), [texts("setup.ok")]
        ),
        "setup.getting-ready": pages.status_screen(size, look, texts("ready.devices", percent=4)),
        "shutdown.in-progress": pages.status_screen(size, look, texts("shutdown"), kind="lock"),
    }
    assert {name: seen(screen, picture) for name, picture in pictures.items()} == {
        name: [name] for name in pictures
    }


def test_small_white_text_on_a_gradient_is_read(screen: Screen) -> None:
    image = gradient((46, 140, 200), (12, 50, 100))
    say(ImageDraw.Draw(image), (512, 400), "Press CTRL + ALT + DELETE to log on", 14)
    assert seen(screen, image) == ["logon.ctrl-alt-delete"]


def test_the_footer_of_setup_is_not_the_installation(screen: Screen) -> None:
    image = Image.new("RGB", (1024, 768), (30, 60, 110))
    pen = ImageDraw.Draw(image)
    say(pen, (300, 745), "1  Collecting information      2  Installing Windows", 12)
    assert seen(screen, image) == []


@pytest.mark.parametrize(("ground", "ids"), [((0, 0, 0), []), ((20, 80, 140), ["logon.welcome"])])
def test_welcome_on_black_is_the_first_use_and_no_log_on(
    screen: Screen, ground: tuple[int, int, int], ids: list[str]
) -> None:
    image = Image.new("RGB", (1024, 768), ground)
    say(ImageDraw.Draw(image), (512, 400), "Welcome", 24)
    assert seen(screen, image) == ids


def test_the_word_password_counts_only_where_the_field_is(screen: Screen) -> None:
    for place, ids in (((512, 440), ["logon.password"]), ((150, 100), []), ((512, 90), [])):
        image = gradient((0, 78, 130), (0, 62, 110))
        pen = ImageDraw.Draw(image)
        x, y = place
        pen.rectangle((x - 60, y - 15, x + 166, y + 15), fill="white")
        say(pen, place, "Password", 14, "grey")
        assert seen(screen, image) == ids, place


def test_no_dialog_of_another_kind_is_taken_for_a_known_one(screen: Screen) -> None:
    image = gradient((0, 96, 152), (0, 72, 122))
    pen = ImageDraw.Draw(image)
    pen.rectangle((300, 300, 720, 460), fill="white")
    say(pen, (420, 315), "Windows Update", 13, "black")
    say(pen, (510, 370), "Updates are ready. Restart now?", 13, "black")
    say(pen, (600, 440), "Restart now      Later", 13, "black")
    assert seen(screen, image) == []
    words = screen.describe(drawn_frame(image))
    assert words.startswith('nothing that winbuild knows; text read: "')
    assert "Windows Update / Updates are ready. Restart now? / " in words


def test_an_empty_screen_is_described_as_one(screen: Screen) -> None:
    assert screen.describe(drawn_frame(Image.new("RGB", (640, 480)))) == (
        "nothing: it is all of one colour"
    )


def test_a_text_is_found_where_it_stands(screen: Screen) -> None:
    image = Image.new("RGB", (1024, 768), "white")
    pen = ImageDraw.Draw(image)
    say(pen, (300, 200), "Later", 14, "black")
    say(pen, (700, 600), "Later", 14, "black")
    frame = drawn_frame(image)
    place = screen.find_text("Later", Area(0.5, 0.5, 1, 1), frame=frame)
    assert place is not None
    assert abs(place.centre[0] - 700) < 4 and abs(place.centre[1] - 600) < 4
    assert screen.find_text("Later", Area(0.5, 0.0, 1, 0.5), frame=frame) is None
    assert screen.find_text("Sooner", frame=frame) is None


def test_the_points_of_a_screen_are_boxes_to_click(screen: Screen) -> None:
    image = Image.new("RGB", (1024, 768), (240, 240, 240))
    pen = ImageDraw.Draw(image)
    say(pen, (300, 250), "Language to install", 13, "black")
    say(pen, (300, 300), "Time and currency format", 13, "black")
    say(pen, (800, 650), "Next", 13, "black")
    frame = drawn_frame(image)
    sighting = screen.shows("setup.language", frame=frame)
    assert sighting is not None and sighting.meaning == "needs-person"
    place = screen.point("setup.language", "next", frame)
    assert place is not None and place.overlaps(Box(790, 640, 810, 660))
    assert screen.point("setup.language", "no such point", frame) is None


def test_a_block_that_did_not_change_is_not_read_again() -> None:
    reader = ocr.Reader()
    image = Image.new("RGB", (1024, 768), (20, 80, 140))
    pen = ImageDraw.Draw(image)
    say(pen, (200, 100), "It stays as it is", 14)
    say(pen, (800, 600), "43 %", 14)

    def read() -> int:
        before = reader.blocks_read
        ocr.Page(drawn_frame(image), reader).lines("en", "fine")
        return reader.blocks_read - before

    assert read() == 2
    assert read() == 0
    pen.rectangle((760, 580, 840, 620), fill=(20, 80, 140))
    say(pen, (800, 600), "44 %", 14)
    assert read() == 1
    reader.close()


def test_a_missing_model_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ocr.MODELS, "en", "tlh")
    with pytest.raises(HostError, match="'tlh'") as caught:
        ocr.Reader().warm(["en"])
    assert "tesseract-ocr-tlh" in (caught.value.hint or "")


def test_the_models_are_found_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "a 'b', 資料" / "tessdata"
    own.mkdir(parents=True)
    model = next(f / "eng.traineddata" for f in ocr.tessdata_folders() if f.is_dir())
    (own / "tlh.traineddata").symlink_to(model)
    monkeypatch.setenv("TESSDATA_PREFIX", str(own.parent))
    monkeypatch.setitem(ocr.MODELS, "en", "tlh")
    reader = ocr.Reader()
    reader.warm(["en"])
    reader.close()


def test_a_broken_model_is_a_host_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tlh.traineddata").write_bytes(b"no model")
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    monkeypatch.setitem(ocr.MODELS, "en", "tlh")
    with pytest.raises(HostError, match="cannot load"):
        ocr.Reader().warm(["en"])


# -- replay ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, words in (("a", "Shutting down"), ("b", "Restarting"), ("c", "Nothing known")):
        image = Image.new("RGB", (800, 600), (20, 80, 140))
        say(ImageDraw.Draw(image), (400, 300), words, 22)
        image.save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_replay_judges_what_is_labelled(folder: Path) -> None:
    (folder / "labels.tsv").write_text(
        "a.png\tshutdown.in-progress\nb.png\tdesktop.ready\nc.png\teng\tNothing unknown\n"
    )
    results = list(replay.replay(folder, Catalogue.load(languages=["en"])))
    a, b, c = results
    assert not a.missed and not a.false
    assert b.missed == {"desktop.ready"} and b.false == {"shutdown.restarting"}
    assert c.expected is None and c.phrase_read is True and c.text == "Nothing known"
    table = replay.table(results)
    assert "1 of 2 right; 1 missed, 1 false matches" in table
    assert "1 of 1 phrases read" in table
    assert "MISSED desktop.ready" in table


def test_a_replay_without_labels_shows_what_is_seen(folder: Path) -> None:
    results = list(replay.replay(folder, Catalogue.load(languages=["en"]), ["shutdown.restarting"]))
    assert [[s.id for s in result.seen] for result in results] == [[], ["shutdown.restarting"], []]
    assert all(result.expected is None and not result.false for result in results)


@pytest.mark.parametrize("label", ["a.png", "a.png\tno.such", "a.png\tklingon\tHab", "a\teng\t..."])
def test_a_label_that_is_none_is_an_error(folder: Path, label: str) -> None:
    (folder / "labels.tsv").write_text(label + "\n")
    with pytest.raises(UsageError):
        next(replay.replay(folder, Catalogue.load(languages=["en"])))


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    catalogue = Catalogue.load(languages=["en"])
    with pytest.raises(UsageError, match="holds no picture"):
        next(replay.replay(tmp_path, catalogue))
    with pytest.raises(UsageError, match="not a folder"):
        next(replay.replay(tmp_path / "none", catalogue))
