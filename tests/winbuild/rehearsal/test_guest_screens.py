"""What the guest shows: that it can be read, and that little is written to show it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from guest_world import World
from PIL import Image

from winbuild.rehearsal.guest import display as display_module
from winbuild.rehearsal.guest import pages, widgets
from winbuild.rehearsal.guest.display import Display, FrameBuffer
from winbuild.rehearsal.guest.fonts import fonts
from winbuild.rehearsal.guest.looks import LOOKS, era_of
from winbuild.rehearsal.guest.texts import Texts

SIZE = (1024, 768)


class Target:
    """Counts what is written."""

    size = SIZE

    def __init__(self) -> None:
        self.image = Image.new("RGB", SIZE)
        self.pixels = 0

    def write(self, image: Image.Image, left: int, top: int) -> None:
        self.pixels += image.width * image.height
        self.image.paste(image, (left, top))


def test_only_what_changed_is_written() -> None:
    target = Target()
    display = Display(target)
    first = Image.new("RGB", SIZE, "navy")
    display.show(first)
    target.pixels = 0
    display.show(first)
    assert target.pixels == 0
    second = first.copy()
    second.paste((255, 0, 0), (10, 20, 30, 50))
    display.show(second)
    assert target.pixels == 20 * 30
    assert target.image.tobytes() == second.tobytes()
    display.show(first, (0, 0, 20, 768))
    assert target.image.getpixel((15, 30)) == (0, 0, 128), "inside the box"
    assert target.image.getpixel((25, 30)) == (255, 0, 0), "outside of it"


def test_the_pointer_leaves_no_trace() -> None:
    target = Target()
    display = Display(target)
    display.show(Image.new("RGB", SIZE, "navy"))
    for place in ((0, 0), (500, 300), (1023, 767), (1020, 10)):
        display.move_pointer(*place)
    display.move_pointer(500, 300)
    assert target.image.getpixel((501, 308)) == (255, 255, 255)
    display.show(Image.new("RGB", SIZE, "green"))
    assert target.image.getpixel((501, 308)) == (255, 255, 255), "it stays over new pictures"
    display.hide_pointer()
    assert target.image.getcolors() == [(SIZE[0] * SIZE[1], (0, 128, 0))]


@pytest.mark.parametrize(
    ("bits", "red_offset", "pixel"),
    [(32, 16, b"\x03\x02\x01\x00"), (32, 0, b"\x01\x02\x03\x00"), (24, 16, b"\x03\x02\x01")],
)
def test_pixel_order_and_line_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int, red_offset: int, pixel: bytes
) -> None:
    line_bytes, height = 64, 3
    device = tmp_path / "fb0"
    device.write_bytes(bytes(line_bytes * height))

    def ioctl(file: int, request: int, argument: bytes) -> bytes:
        if request == display_module.FBIOGET_VSCREENINFO:
            start = struct.pack("7I", 10, height, 10, height, 0, 0, bits)
            return (start + struct.pack("2I", 0, red_offset)).ljust(160, b"\0")
        fixed = bytes(24) + struct.pack("I", line_bytes * height)
        return (fixed.ljust(48, b"\0") + struct.pack("I", line_bytes)).ljust(80, b"\0")

    monkeypatch.setattr(display_module.fcntl, "ioctl", ioctl)
    target = FrameBuffer(device)
    assert target.size == (10, height)
    target.write(Image.new("RGB", (2, 2), (1, 2, 3)), 8, 1)
    size = len(pixel)
    content = device.read_bytes()
    for row in (1, 2):
        start = row * line_bytes + 8 * size
        assert content[start : start + 2 * size].replace(b"\xff", b"\0") == pixel * 2
    assert not any(content[:line_bytes]) and not any(content[line_bytes : line_bytes + 8 * size])


def test_fonts_are_there() -> None:
    assert {"ui", "bold", "mono", "japanese", "japanese-mono"} <= set(fonts())


def test_labels_have_a_look() -> None:
    assert [era_of(label) for label in ("2008", "7", "2012", "8.1", "2025")] == list("77888")


def test_every_text_of_a_language_is_one_of_english() -> None:
    english, japanese = Texts("en-US", "8"), Texts("ja-JP", "8")
    assert japanese("logon.welcome") == "ようこそ"
    assert japanese("note") == english("note"), "what is missing is said in English"
    assert Texts("xx-XX", "7").language == "en-US"
    assert english("setup.percent", text="Copying", percent=43) == "Copying (43%)"
    with pytest.raises(KeyError):
        english("no such text")


@pytest.mark.parametrize("era", ["7", "8"])
@pytest.mark.parametrize("tag", ["en-US", "ja-JP"])
def test_every_page_carries_the_note(era: str, tag: str) -> None:
    texts, look = Texts(tag, era), LOOKS[era]
    screens = [
        pages.setup_page(SIZE, look, "t", "h", ["a", "b"], percent=5, current=1, buttons=["x"]),
        pages.language_page(SIZE, look, texts),
        pages.dialog_page(SIZE, look, "t", "w " * 200, ["OK"]),
        pages.status_screen(SIZE, look, "w", "d"),
        pages.blue_screen(SIZE, look, texts, "0x7B", "NAME"),
    ]
    note = widgets.note_box(SIZE)
    for screen in screens:
        assert screen.size == SIZE
        corner = screen.crop(note)
        assert corner.convert("L").getextrema()[1] > 190, "the note is there"


def test_wrapping() -> None:
    lines = widgets.wrap("one two three four five", 80)
    assert len(lines) > 1 and " ".join(lines) == "one two three four five"
    japanese = widgets.wrap("あいうえおかきくけこさしすせそ", 80)
    assert len(japanese) > 1 and "".join(japanese) == "あいうえおかきくけこさしすせそ"
    assert widgets.wrap("a\n\nb", 80) == ["a", "", "b"]


def test_bullets_hide_the_password(tmp_path: Path) -> None:
    """Two passwords of the same length look the same."""
    pictures = []
    for number, password in enumerate(("secret-one!", "secret-two!")):
        world = World(tmp_path / str(number), powershell="front")
        world.install()

        def person(world: World = world, password: str = password):  # type: ignore[no-untyped-def]
            yield world.at("lock")
            yield 2.0
            world.press("leftctrl", "leftalt", "delete")
            yield world.at("password")
            yield 2.0
            world.type(password)
            yield 1.0

        world.boot(person())
        pictures.append(world.screen().crop((430, 366, 660, 396)))
    assert pictures[0].tobytes() == pictures[1].tobytes()
    assert len(pictures[0].getcolors() or []) > 2, "there are bullets"
