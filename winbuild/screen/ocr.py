"""Reads text off frames with tesseract, in this process (tesserocr).

Each block of text is read in two ways (`prepare.READINGS`), the second only where the first
found nothing that was wanted. What was read is remembered by the block's pixels, so that a
block which did not change is never read twice.

Imports numpy and Pillow at the top: for modules that do not run when winbuild starts.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from winbuild.errors import HostError
from winbuild.screen import prepare
from winbuild.screen.areas import Box
from winbuild.screen.frame import Frame
from winbuild.screen.lines import BlockText, Line, Word

# Language of the catalogue → tesseract's model. Both read Latin letters.
MODELS = {"en": "eng", "ja": "jpn"}

_ENLARGED = 2  # Windows' small type is 9 to 12 pixels high; tesseract wants about 20
_SCREEN_DPI = 96
_ONE_LINE_PX = 64  # a lower block has a line or two: looking for scattered text splits signs
_REMEMBERED = 1500  # blocks; about 2 KiB each


class Reader:
    """Tesseract's models, loaded when first needed, and the memory of what they read."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._memory: OrderedDict[bytes, BlockText] = OrderedDict()
        self.blocks_read = 0

    def block(self, picture: prepare.Grey, language: str) -> BlockText:
        """The text of a grey picture; places in its own pixels.

        Raises HostError if tesseract's model of the language is not installed.
        """
        key = hashlib.blake2b(
            np.ascontiguousarray(picture).data,
            digest_size=16,
            person=f"{language} {picture.shape[1]}".encode(),
        ).digest()
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        text = BlockText.of(self._recognise(picture, language))
        self.blocks_read += 1
        self._memory[key] = text
        if len(self._memory) > _REMEMBERED:
            self._memory.popitem(last=False)
        return text

    def _recognise(self, picture: prepare.Grey, language: str) -> list[Word]:
        from tesserocr import PSM, RIL, iterate_level

        model = self._model(language)
        image = Image.fromarray(picture)
        image = image.resize(
            (image.width * _ENLARGED, image.height * _ENLARGED), Image.Resampling.BICUBIC
        )
        low = picture.shape[0] < _ONE_LINE_PX
        model.SetPageSegMode(PSM.SINGLE_BLOCK if low else PSM.SPARSE_TEXT)
        model.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
        if not model.Recognize():
            return []
        iterator = model.GetIterator()
        if iterator is None:
            return []
        words = []
        for item in iterate_level(iterator, RIL.WORD):
            box = item.BoundingBox(RIL.WORD)
            text = (item.GetUTF8Text(RIL.WORD) or "").strip() if box else ""
            if text:
                place = Box(*(round(edge / _ENLARGED) for edge in box))
                words.append(Word(text, place, float(item.Confidence(RIL.WORD))))
        return words

    def _model(self, language: str) -> Any:
        if language not in self._models:
            self._models[language] = _load_model(MODELS[language])
        return self._models[language]

    def warm(self, languages: Iterable[str]) -> None:
        """Load the models now, which takes a few tenths of a second, rather than at first use."""
        for language in languages:
            self._model(language)

    def close(self) -> None:
        for model in self._models.values():
            model.End()
        self._models.clear()


class Page:
    """The text of one frame, read block by block as it is asked for."""

    def __init__(self, frame: Frame, reader: Reader) -> None:
        self.frame = frame
        self._reader = reader
        self._pictures: dict[str, tuple[prepare.Grey, list[Box]]] = {}
        self._texts: dict[tuple[str, str, Box], BlockText] = {}

    @cached_property
    def _grey(self) -> prepare.Grey:
        return prepare.grey(self.frame)

    def _prepared(self, reading: str) -> tuple[prepare.Grey, list[Box]]:
        """The picture that is read, and its blocks of text."""
        if reading not in self._pictures:
            picture = prepare.flattened(self._grey, reading)
            self._pictures[reading] = (picture, prepare.text_blocks(picture))
        return self._pictures[reading]

    def texts(self, area: Box, language: str, reading: str) -> Iterator[tuple[Box, BlockText]]:
        """The blocks that reach into `area` (pixels) with what is read in them.

        `language` is one of `MODELS`, `reading` one of `prepare.READINGS`.
        """
        for block in self._prepared(reading)[1]:
            if block.overlaps(area):
                yield block, self._text(block, language, reading)

    def lines(self, language: str, reading: str) -> list[Line]:
        """Every line of the frame, in the frame's pixels."""
        return [
            line.shifted(block.left, block.top)
            for block in self._prepared(reading)[1]
            for line in self._text(block, language, reading).lines
        ]

    def _text(self, block: Box, language: str, reading: str) -> BlockText:
        key = (language, reading, block)
        if key not in self._texts:
            picture = self._prepared(reading)[0]
            cut = picture[block.top : block.bottom, block.left : block.right]
            self._texts[key] = self._reader.block(cut, language)
        return self._texts[key]


def tessdata_folders() -> Sequence[Path]:
    """Where tesseract's models may be: TESSDATA_PREFIX, then where Debian and Ubuntu put them."""
    named = os.environ.get("TESSDATA_PREFIX")
    own = [Path(named), Path(named) / "tessdata"] if named else []
    return [*own, *sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), reverse=True)]


def _load_model(model: str) -> Any:
    # OpenMP's threads slow small pictures down, and take the processors from the guest. The
    # library reads this variable when it is loaded.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    hint = f"on Debian or Ubuntu: sudo apt-get install tesseract-ocr tesseract-ocr-{model}"
    try:
        import tesserocr
    except ImportError as exc:
        raise HostError(
            f"the Python package tesserocr, which reads the guest's screen, does not load: {exc}",
            hint="install winbuild's dependencies again (python3 -m pip install tesserocr)",
        ) from exc
    for folder in tessdata_folders():
        if (folder / f"{model}.traineddata").is_file():
            break
    else:
        raise HostError(
            f"tesseract's model {model!r}, which reads the guest's screen, is not installed",
            hint=hint,
        )
    try:
        api = tesserocr.PyTessBaseAPI(path=str(folder), lang=model, oem=tesserocr.OEM.LSTM_ONLY)
    except RuntimeError as exc:
        raise HostError(
            f"tesseract cannot load {folder / model}.traineddata: {exc}", hint=hint
        ) from exc
    # Leptonica reports empty pictures on stderr as errors; for us they are nothing to read.
    tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
    api.SetVariable("user_defined_dpi", str(_SCREEN_DPI * _ENLARGED))
    api.SetVariable("debug_file", os.devnull)
    return api
