"""How the two generations of Windows look, as far as it matters for being recognised.

"7" is Windows 7 / Server 2008 R2, "8" is Windows 8.1 / Server 2012 R2. Colours and sizes are our
own choice in the manner of those systems, not taken from their pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
GREY: Colour = (109, 109, 109)
CONSOLE_BLUE: Colour = (1, 36, 86)


@dataclass(frozen=True)
class Look:
    """Colours of one generation. A gradient runs from `top` to `bottom`; equal means plain."""

    era: str
    setup: tuple[Colour, Colour]
    lock: tuple[Colour, Colour]
    desktop: tuple[Colour, Colour]
    taskbar: Colour
    title_bar: Colour
    title_bar_behind: Colour
    title_text: Colour
    border: Colour
    face: Colour
    button: Colour
    button_border: Colour
    accent: Colour
    link: Colour


LOOKS: dict[str, Look] = {
    "7": Look(
        era="7",
        setup=((38, 96, 160), (10, 44, 92)),
        lock=((46, 110, 172), (12, 50, 100)),
        desktop=((40, 104, 168), (14, 58, 112)),
        taskbar=(28, 50, 80),
        title_bar=(185, 209, 234),
        title_bar_behind=(215, 228, 242),
        title_text=BLACK,
        border=(70, 96, 128),
        face=(240, 240, 240),
        button=(225, 225, 225),
        button_border=(112, 112, 112),
        accent=(60, 127, 177),
        link=(0, 51, 153),
    ),
    "8": Look(
        era="8",
        setup=((24, 0, 82), (24, 0, 82)),
        lock=((0, 78, 130), (0, 62, 110)),
        desktop=((0, 96, 152), (0, 72, 122)),
        taskbar=(24, 38, 58),
        title_bar=(107, 173, 222),
        title_bar_behind=(235, 235, 235),
        title_text=BLACK,
        border=(80, 130, 170),
        face=(240, 240, 240),
        button=(225, 225, 225),
        button_border=(173, 173, 173),
        accent=(51, 153, 255),
        link=(0, 51, 153),
    ),
}


def era_of(label: str) -> str:
    """The generation that a Windows label ("2008", "2012", "7", ...) belongs to."""
    return "7" if label in {"7", "2008"} else "8"
