"""The guest's screen: the Linux frame buffer, or a picture for tests on the host.

A `Display` shows Pillow images in RGB and draws the mouse pointer over them. Only what has
changed is written, because every byte is dear under emulation. Imports Pillow.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from PIL import Image, ImageChops, ImageDraw

Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are outside

FBIOGET_VSCREENINFO = 0x4600  # linux/fb.h
FBIOGET_FSCREENINFO = 0x4602
KDSETMODE = 0x4B3A  # linux/kd.h
KD_GRAPHICS = 1

# Pillow's name of the pixel layout by (bits per pixel, offset of red).
PIXEL_LAYOUTS = {
    (32, 16): "BGRX",
    (32, 0): "RGBX",
    (24, 16): "BGR",
    (24, 0): "RGB",
    (16, 11): "BGR;16",
}
POINTER_OUTLINE = ((0, 0), (0, 16), (4, 12), (7, 18), (9, 17), (6, 11), (11, 11))


class Target(Protocol):
    """Where pixels go: a frame buffer, or memory in tests."""

    size: tuple[int, int]

    def write(self, image: Image.Image, left: int, top: int) -> None: ...


class FrameBuffer:
    """/dev/fb0, mapped into memory. Honours its line length and its order of colours."""

    def __init__(self, device: Path = Path("/dev/fb0")) -> None:
        self._file = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        variable = fcntl.ioctl(self._file, FBIOGET_VSCREENINFO, bytes(160))
        width, height, _, _, x_offset, y_offset, bits = struct.unpack_from("7I", variable)
        red_offset = struct.unpack_from("I", variable, 32)[0]
        fixed = fcntl.ioctl(self._file, FBIOGET_FSCREENINFO, bytes(80))
        # struct fb_fix_screeninfo: id[16], smem_start (8), smem_len, type, type_aux, visual,
        # three short steps, then line_length on a 4-byte boundary.
        memory_bytes = struct.unpack_from("I", fixed, 24)[0]
        self._line_bytes = struct.unpack_from("I", fixed, 48)[0]
        layout = PIXEL_LAYOUTS.get((bits, red_offset))
        if layout is None:
            raise OSError(f"{device}: {bits} bits per pixel, red at bit {red_offset}: not known")
        self._layout = layout
        self._pixel_bytes = bits // 8
        self._start = y_offset * self._line_bytes + x_offset * self._pixel_bytes
        self.size = (width, height)
        size_bytes = min(memory_bytes, self._start + height * self._line_bytes)
        self._memory = mmap.mmap(self._file, size_bytes)

    def write(self, image: Image.Image, left: int, top: int) -> None:
        pixels = image.tobytes("raw", self._layout)
        row_bytes = image.width * self._pixel_bytes
        start = self._start + top * self._line_bytes + left * self._pixel_bytes
        if row_bytes == self._line_bytes:
            self._memory[start : start + len(pixels)] = pixels
            return
        for row in range(image.height):
            at = start + row * self._line_bytes
            self._memory[at : at + row_bytes] = pixels[row * row_bytes : (row + 1) * row_bytes]


class PictureTarget:
    """A screen in memory. `image` is what a person would see."""

    def __init__(self, size: tuple[int, int] = (1024, 768)) -> None:
        self.size = size
        self.image = Image.new("RGB", size)

    def write(self, image: Image.Image, left: int, top: int) -> None:
        self.image.paste(image, (left, top))


class Display:
    """Shows images, with the mouse pointer over them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.size = target.size
        self._picture = Image.new("RGB", self.size)  # without the pointer
        self._pointer_at: tuple[int, int] | None = None
        self._pointer, self._pointer_mask = _draw_pointer()
        target.write(self._picture, 0, 0)

    @classmethod
    def open(cls, device: Path = Path("/dev/fb0")) -> Display:
        """The frame buffer; the kernel's text console is told to keep off it."""
        _silence_console()
        return cls(FrameBuffer(device))

    @classmethod
    def in_memory(
        cls, size: tuple[int, int] = (1024, 768)
    ) -> tuple[Display, Callable[[], Image.Image]]:
        """A display for tests, and a function that gives a copy of what it shows."""
        target = PictureTarget(size)
        return cls(target), target.image.copy

    def show(self, image: Image.Image, box: Box | None = None) -> None:
        """Show `image` (of the screen's size); with `box`, only that part of it has changed."""
        part = image if box is None else image.crop(box)
        self.show_part(part, *((0, 0) if box is None else box[:2]))

    def show_part(self, part: Image.Image, left: int, top: int) -> None:
        """Show `part` with its upper left corner at (`left`, `top`)."""
        area = (left, top, left + part.width, top + part.height)
        before = self._picture.crop(area)
        changed = ImageChops.difference(before, part).getbbox()
        if changed is None:
            return
        part = part.crop(changed)
        left, top = left + changed[0], top + changed[1]
        self._picture.paste(part, (left, top))
        self._write((left, top, left + part.width, top + part.height))

    def move_pointer(self, x: int, y: int) -> None:
        """Draw the arrow with its tip at (`x`, `y`)."""
        if (x, y) == self._pointer_at:
            return
        old, self._pointer_at = self._pointer_at, (x, y)
        width, height = self._pointer.size
        for at in filter(None, (old, self._pointer_at)):
            self._write((at[0], at[1], at[0] + width, at[1] + height))

    def hide_pointer(self) -> None:
        """No arrow, until it is moved again."""
        old, self._pointer_at = self._pointer_at, None
        if old is not None:
            width, height = self._pointer.size
            self._write((old[0], old[1], old[0] + width, old[1] + height))

    def _write(self, box: Box) -> None:
        left, top = max(0, box[0]), max(0, box[1])
        right, bottom = min(self.size[0], box[2]), min(self.size[1], box[3])
        if left >= right or top >= bottom:
            return
        part = self._picture.crop((left, top, right, bottom))
        if self._pointer_at is not None:
            at = (self._pointer_at[0] - left, self._pointer_at[1] - top)
            part.paste(self._pointer, at, self._pointer_mask)
        self._target.write(part, left, top)


def _draw_pointer() -> tuple[Image.Image, Image.Image]:
    """A white arrow with a black border, and its mask."""
    size = (13, 20)
    picture, mask = Image.new("RGB", size), Image.new("1", size)
    ImageDraw.Draw(picture).polygon(POINTER_OUTLINE, fill="white", outline="black")
    ImageDraw.Draw(mask).polygon(POINTER_OUTLINE, fill=1, outline=1)
    return picture, mask


def _silence_console() -> None:
    """Keep the kernel's console from drawing text and a cursor over the pictures."""
    for terminal in (Path("/dev/tty0"), Path("/dev/tty1")):
        try:
            file = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            continue
        try:
            fcntl.ioctl(file, KDSETMODE, KD_GRAPHICS)
            return
        except OSError:
            continue
        finally:
            os.close(file)
