"""A few models on this CPU side by side: written as files, then tested, weighed and timed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...backends import BackendError
from ...errors import UserError
from ...progress import OnProgress
from ...tables.setting import PartialSetting
from ..target import check_free, kept_device
from .deployed import Deployed, deploy
from .facts import Facts, facts_of

if TYPE_CHECKING:
    import numpy as np

    from ...training.data.images import Dataset, Normalisation


@dataclass(frozen=True)
class Comparison:
    """How models are run and measured beside one another.

    batch: images a run; threads: the runtime's; test_images: so many of the test images, all for
    None; sessions: fresh ones that each is measured in.
    """

    batch: int = 1
    threads: int = 1
    test_images: int | None = None
    sessions: int = 5

    def __post_init__(self) -> None:
        for name in ("batch", "threads", "sessions", "test_images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"`{name}` is {value}; it has to be 1 or more.")

    def write(
        self,
        folder: Path,
        precision: str,
        out: Path,
        runtime: str = "onnxruntime",
        calibration: Sequence[np.ndarray] | np.ndarray = (),
        method: str = "minmax",
    ) -> Deployed:
        """Write a model's file in that precision to `out` (see `deploy`)."""
        try:
            return deploy(
                folder,
                runtime,
                precision,
                out,
                batch=self.batch,
                threads=self.threads,
                calibration=calibration,
                method=method,
            )
        except BackendError as error:
            raise UserError(f"{folder} cannot be converted to {precision}: {error}.") from None

    def check_free(self) -> None:
        """Look before long work whether this machine is free; raises DeviceBusyError."""
        check_free(PartialSetting(threads=self.threads), "vitprof measuring models side by side")

    def measure(
        self,
        files: Mapping[str, Deployed],
        data: Dataset | None,
        norm: Normalisation | None,
        on_progress: OnProgress,
    ) -> list[Facts]:
        """Return what the files are and do, keeping other measurements off this machine meanwhile.

        Without data they are not tested.
        Waits where another vitprof measures here. Raises UserError where one cannot be run here.
        """
        from ...training.data.held_out import some_of

        test = None if data is None else data.test
        if test is not None and self.test_images is not None:
            test = some_of(test, self.test_images)
        here = PartialSetting(threads=self.threads)
        try:
            with kept_device(here, "vitprof measuring models side by side", wait=math.inf):
                return list(facts_of(files, test, norm, self.sessions, on_progress).values())
        except BackendError as error:
            raise UserError(f"it cannot be run here: {error}.") from None
