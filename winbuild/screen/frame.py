"""One picture of the guest's screen.

Imports numpy at the top: nothing that runs when winbuild starts may import this module.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from winbuild.atomic import unfinished
from winbuild.errors import UsageError, VmError

Pixels = NDArray[np.uint8]
"""Array of shape (height, width, 3): red, green, blue."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame as QEMU's `screendump` gave it.

    `taken` is the host's monotonic clock in seconds, so that frames can be ordered.
    """

    pixels: Pixels
    taken: float = field(default_factory=time.monotonic)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, as `Pointer.click` wants it."""
        return self.width, self.height

    def same_picture(self, other: Frame | None) -> bool:
        return other is not None and np.array_equal(self.pixels, other.pixels)

    @classmethod
    def from_ppm(cls, content: bytes) -> Frame:
        """Decode a binary PPM (P6, 8 bits), the format of `screendump`.

        Raises VmError if it is cut short or something else.
        """
        taken = time.monotonic()
        try:
            magic, width, height, depth, start = _ppm_header(content)
            if magic != b"P6" or depth != 255:
                raise ValueError(f"{magic!r} with depth {depth}")
            flat = np.frombuffer(content, np.uint8, count=width * height * 3, offset=start)
        except ValueError as exc:
            raise VmError(f"the picture of the screen is not a complete PPM: {exc}") from exc
        return cls(flat.reshape(height, width, 3), taken)

    @classmethod
    def from_file(cls, path: Path) -> Frame:
        """Read a PNG or PPM. Raises UsageError if the file is not a picture."""
        from PIL import Image

        try:
            with Image.open(path) as picture:
                return cls(np.asarray(picture.convert("RGB")))
        except (OSError, SyntaxError) as exc:
            raise UsageError(f"{path} is not a picture that winbuild can read: {exc}") from exc

    def png(self) -> bytes:
        from PIL import Image

        buffer = io.BytesIO()
        # Level 1: a tenth of the time of the default for a file one fifth larger.
        Image.fromarray(self.pixels).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def save_png(self, path: Path) -> None:
        with unfinished(path) as temp:
            temp.write_bytes(self.png())


def _ppm_header(content: bytes) -> tuple[bytes, int, int, int, int]:
    """Magic, width, height, depth and where the pixels begin. Comments run to the line's end."""
    fields: list[bytes] = []
    at = 0
    while len(fields) < 4:
        while content[at : at + 1].isspace():
            at += 1
        if content[at : at + 1] == b"#":
            end_of_line = content.find(b"\n", at)
            if end_of_line < 0:
                raise ValueError("the header has no end")
            at = end_of_line
            continue
        end = at
        while end < len(content) and not content[end : end + 1].isspace():
            end += 1
        if end == at:
            raise ValueError("the header is cut short")
        fields.append(content[at:end])
        at = end
    width, height, depth = (int(number) for number in fields[1:])
    if width <= 0 or height <= 0:
        raise ValueError(f"{width}x{height} pixels")
    return fields[0], width, height, depth, at + 1
