"""What install.wim says of itself: the XML at its end, without any program.

Header: Microsoft's "Windows Imaging File Format" (2007).
"""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"MSWIM\0\0\0"
XML_ENTRY = 0x48  # in the header: 7 bytes of size, one of flags, 8 of offset


@dataclass(frozen=True)
class WimImage:
    """One image. `properties` has the texts that an answer file may choose by."""

    index: int
    properties: dict[str, str]
    edition: str
    installation_type: str
    size_bytes: int

    @property
    def name(self) -> str:
        return self.properties["NAME"]


def read_images(wim: Path) -> list[WimImage]:
    """The images in their order. Raises ValueError if this is no WIM."""
    with wim.open("rb") as stream:
        header = stream.read(208)
        if header[:8] != MAGIC:
            raise ValueError(f"{wim.name} is not a WIM")
        size = int.from_bytes(header[XML_ENTRY : XML_ENTRY + 7], "little")
        (offset,) = struct.unpack_from("<Q", header, XML_ENTRY + 8)
        stream.seek(offset)
        root = ET.fromstring(stream.read(size).decode("utf-16"))
    return [_image(element) for element in root.iter("IMAGE")]


def _image(element: ET.Element) -> WimImage:
    names = ("NAME", "DESCRIPTION", "DISPLAYNAME")
    return WimImage(
        index=int(element.get("INDEX", "0")),
        properties={name: element.findtext(name, "") for name in names},
        edition=element.findtext("WINDOWS/EDITIONID", ""),
        installation_type=element.findtext("WINDOWS/INSTALLATIONTYPE", ""),
        size_bytes=int(element.findtext("TOTALBYTES", "0")),
    )


def choose(images: list[WimImage], key: str, value: str) -> WimImage | None:
    """The image that `/IMAGE/key` = `value` means; names are compared without case."""
    if key == "INDEX":
        return next((image for image in images if str(image.index) == value), None)
    wanted = value.casefold()
    return next((i for i in images if i.properties[key].casefold() == wanted), None)
