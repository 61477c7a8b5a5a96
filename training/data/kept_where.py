"""Where images are kept while a model is trained: in memory, or on disk and read as they come."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, get_args

from ...errors import UserError, did_you_mean

Keep = Literal["auto", "memory", "disk"]
OnDamaged = Literal["refuse", "skip"]
# "auto" keeps images in memory up to here. A fixed number: what a run draws must not depend on the
# machine.
AUTO_BYTES = 4 * 2**30
# And nothing makes more than this be kept there.
MOST_BYTES = 16 * 2**30
MOST_WORKERS = 128


@dataclass(frozen=True)
class Loading:
    """How images are read.

    keep: "memory", "disk" (decoded as they come, in `workers` processes), or "auto": in memory
    where their pixels take at most 4 GiB. workers: None is one for each core but one, at most 8; 0:
    the process itself reads. on_damaged: "refuse" stops at an image that cannot be read, "skip"
    takes the next one and counts it; both for what stays on disk. Raises UserError for what is out
    of range.
    """

    keep: Keep = "auto"
    workers: int | None = None
    on_damaged: OnDamaged = "refuse"

    def __post_init__(self) -> None:
        for name, word, known in (
            ("keep", self.keep, get_args(Keep)),
            ("on_damaged", self.on_damaged, get_args(OnDamaged)),
        ):
            if word not in known:
                raise UserError(f"`{name}` '{word}' is unknown{did_you_mean(word, known)}.")
        if self.workers is not None and not 0 <= self.workers <= MOST_WORKERS:
            raise UserError(f"`workers` is {self.workers}; it has to be from 0 to {MOST_WORKERS}.")

    def on_disk(self, needed: int) -> bool:
        """Whether images stay on disk whose pixels would take so many bytes."""
        return self.keep == "disk" or (self.keep == "auto" and self.on_disk_by_size(needed))

    @staticmethod
    def on_disk_by_size(needed: int) -> bool:
        """Whether pixels of so many bytes are too many to be kept where nothing is asked for."""
        return needed > AUTO_BYTES

    def refuse(self, what: str) -> None:
        """Raise UserError where anything is asked for: `what`, in words, is read in one way."""
        for name in ("keep", "workers", "on_damaged"):
            if getattr(self, name) != getattr(AUTO, name):
                raise UserError(f"`{name}` has no effect on {what}; omit it.")

    @property
    def processes(self) -> int:
        """How many processes read."""
        if self.workers is not None:
            return self.workers
        return min(max(len(os.sched_getaffinity(0)) - 1, 1), 8)


AUTO = Loading()
