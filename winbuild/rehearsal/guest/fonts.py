"""The fonts of the guest: where they are, and which one a text needs.

Latin text is set in DejaVu Sans and the console in DejaVu Sans Mono; a text with any
Japanese character is set wholly in a Japanese font, as Windows does on Japanese media.
Sizes are in pixels of the screen. Imports Pillow.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

# The first that exists is taken. The folder beside this file comes first, so that media can
# carry their fonts; then the places of Debian and Ubuntu, and of Fedora.
FOLDERS = (
    Path(__file__).with_name("fonts"),
    Path("/usr/share/fonts/truetype/dejavu"),
    Path("/usr/share/fonts/truetype/vlgothic"),
    Path("/usr/share/fonts/opentype/ipafont-gothic"),
    Path("/usr/share/fonts/opentype/ipaexfont-gothic"),
    Path("/usr/share/fonts/dejavu-sans-fonts"),
    Path("/usr/share/fonts/dejavu-sans-mono-fonts"),
    Path("/usr/share/fonts/vlgothic"),
)
FILES = {
    "ui": ("DejaVuSans.ttf",),
    "bold": ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf"),
    "mono": ("DejaVuSansMono.ttf", "DejaVuSans.ttf"),
    "japanese": ("VL-PGothic-Regular.ttf", "ipagp.ttf", "ipaexg.ttf", "VL-Gothic-Regular.ttf"),
    "japanese-mono": ("VL-Gothic-Regular.ttf", "ipag.ttf", "VL-PGothic-Regular.ttf"),
}
# From here on upwards the code points are CJK punctuation, kana, kanji and full-width forms.
FIRST_JAPANESE = 0x3000


class FontMissing(RuntimeError):
    """None of a font's files is on the media."""


def fonts() -> dict[str, Path]:
    """The file of every style that could be found, by style name (keys of `FILES`)."""
    found: dict[str, Path] = {}
    for style, names in FILES.items():
        places = (folder / name for name in names for folder in FOLDERS)
        file = next((place for place in places if place.is_file()), None)
        if file is not None:
            found[style] = file
    return found


@lru_cache(maxsize=64)
def _load(style: str, size_px: int) -> ImageFont.FreeTypeFont:
    file = fonts().get(style)
    if file is None:
        raise FontMissing(f"no font for {style!r}: none of {', '.join(FILES[style])}")
    return ImageFont.truetype(str(file), size_px)


def font_for(text: str, size_px: int, style: str = "ui") -> ImageFont.FreeTypeFont:
    """The font that `text` is to be drawn in; `style` is "ui", "bold" or "mono"."""
    if any(ord(char) >= FIRST_JAPANESE for char in text):
        style = "japanese-mono" if style == "mono" else "japanese"
        size_px += 1  # kana and kanji look smaller than Latin letters of the same size
    return _load(style, size_px)


def width(text: str, size_px: int, style: str = "ui") -> int:
    """Width in pixels that `text` takes on one line."""
    return round(font_for(text, size_px, style).getlength(text))
