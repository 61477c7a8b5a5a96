"""Progress of work whose length is an estimate."""

from __future__ import annotations

import math

from ...progress import OnProgress


class ProgressInSeconds:
    """Tells shares of a work as seconds of its estimated length.

    It never goes back, and is complete when `finish` is called and not before.
    """

    def __init__(self, on_progress: OnProgress, stage: str, estimated_s: float) -> None:
        self._on_progress = on_progress
        self._stage = stage
        self.total = max(math.ceil(estimated_s), 1)
        self._done = 0

    def tell(self, share: float, detail: str) -> None:
        """Tell that this share (0 to 1) of the work is done."""
        self._done = max(self._done, min(math.floor(share * self.total), self.total - 1))
        self._on_progress(self._stage, self._done, self.total, detail)

    def finish(self, detail: str) -> None:
        """Tell that the work is done."""
        self._on_progress(self._stage, self.total, self.total, detail)
