"""The one type for "not longer than": every wait takes a `Deadline`."""

from __future__ import annotations

import time

from winbuild.errors import GuestTimeout


class Deadline:
    """A point in time, `seconds` from now, by which something must have happened.

    The clock is monotonic, so changes of the host's time do not matter.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left; 0.0 once it has passed."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def check(self, waited_for: str, *, hint: str | None = None) -> None:
        """Raise GuestTimeout, saying what was waited for, once the deadline has passed."""
        if self.passed:
            raise GuestTimeout(waited_for, self.seconds, hint=hint)
