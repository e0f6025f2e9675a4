"""The face of this folder for steps: what does the guest's screen show, and wait until it does.

Imports numpy through its parts: import it where it is used, not when winbuild starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from winbuild.deadline import Deadline
from winbuild.screen import describe as words
from winbuild.screen import match
from winbuild.screen.areas import WHOLE, Area, Box
from winbuild.screen.catalogue import Catalogue
from winbuild.screen.frame import Frame
from winbuild.screen.match import Sighting
from winbuild.screen.ocr import Page, Reader
from winbuild.screen.textmatch import DEFAULT_MIN
from winbuild.screen.watch import INTERVAL_S, VmScreen, Wait
from winbuild.ui import QuietUi, Ui


class Screen:
    """The screen of one VM, read with one catalogue.

    Which languages are read follows from the catalogue (`Catalogue.load(languages=...)`).
    Every method that reads raises HostError if tesseract's model of a language is missing.
    """

    def __init__(self, vm: VmScreen, catalogue: Catalogue, *, ui: Ui | None = None) -> None:
        self._vm = vm
        self._catalogue = catalogue
        self._ui = ui or QuietUi()
        self._reader = Reader()
        self._page: Page | None = None

    def frame(self) -> Frame:
        """What the screen shows now. Raises VmError if the VM does not answer."""
        return Frame.from_ppm(self._vm.screendump())

    def seen(self, frame: Frame | None = None) -> list[Sighting]:
        """Every screen of the catalogue that the frame (default: now) shows, best first."""
        return match.sightings(self._page_of(frame), self._catalogue)

    def shows(self, *names: str, frame: Frame | None = None) -> Sighting | None:
        """The best of these screens, if one of them is shown. UsageError for an unknown name."""
        found = match.sightings(self._page_of(frame), self._catalogue, names)
        return found[0] if found else None

    def wait_for(
        self,
        *names: str,
        deadline: Deadline,
        fail: Sequence[str] | None = None,
        stable: int = 1,
        interval_s: float = INTERVAL_S,
        label: str | None = None,
    ) -> Sighting:
        """Wait until one of the screens is shown, in `stable` looks in a row; return it.

        `label` says what is waited for, in words; by default the screens' titles.
        `fail` are screens that end the wait when they stay: by default every one that means
        an error, or asks a person, and is not itself waited for. Raises VmError for those
        and when the VM ends, GuestTimeout at the deadline: the message says what is seen.
        """
        titles = self._catalogue_titles(names)
        wanted = label or titles
        fail_ids = frozenset(self._standing_failures() if fail is None else fail) - {*names}

        def look(frame: Frame) -> list[Sighting]:
            # The wanted ones first: nothing else is read once they are there.
            page = self._page_of(frame)
            hits = match.sightings(page, self._catalogue, names)
            return hits or match.sightings(page, self._catalogue, sorted(fail_ids))

        wait = Wait(
            vm=self._vm,
            look=look,
            describe=self.describe,
            wanted=wanted,
            names=frozenset(names),
            fail=fail_ids,
            stable=stable,
            interval_s=interval_s,
        )
        with self._ui.progress(f"waiting for {wanted}"):
            return wait.until(deadline)

    def point(self, id_: str, name: str, frame: Frame | None = None) -> Box | None:
        """Where to click: the point `name` that the catalogue gives the screen `id_`."""
        points = self._catalogue.get(id_).points_called(name)
        return match.find_point(self._page_of(frame), points)

    def find_text(
        self,
        text: str,
        area: Area = WHOLE,
        *,
        frame: Frame | None = None,
        minimum: float = DEFAULT_MIN,
        alone: bool = False,
    ) -> Box | None:
        """The place of a text within the area, in pixels of the frame."""
        page = self._page_of(frame)
        for language in self._languages():
            hit = match.find_text(page, [text], area, language, minimum=minimum, alone=alone)
            if hit:
                return hit.box
        return None

    def describe(self, frame: Frame | None = None) -> str:
        """What the frame (default: now) shows, in words that fit into a sentence."""
        page = self._page_of(frame)
        return words.describe(page, self._catalogue, self._languages())

    def close(self) -> None:
        """Free tesseract's models."""
        self._reader.close()

    def _languages(self) -> tuple[str, ...]:
        return self._catalogue.languages or ("en",)

    def _page_of(self, frame: Frame | None) -> Page:
        frame = frame or self.frame()
        if self._page is None or not frame.same_picture(self._page.frame):
            self._page = Page(frame, self._reader)
        return self._page

    def _catalogue_titles(self, names: Iterable[str]) -> str:
        return " or ".join(self._catalogue.get(name).title for name in names)

    def _standing_failures(self) -> tuple[str, ...]:
        return self._catalogue.meaning("error") + self._catalogue.meaning("needs-person")
