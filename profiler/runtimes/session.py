"""A session in another process, to be sampled like one in this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...closing import Closing
from ..sampling.timed_run import Sample
from .child import Child


class RemoteSession(Closing):
    """Opens a file in a runner's process; `timed()` is one run by that process's own clocks.

    Raises BackendError where the runtime refuses the file, or its process ends.
    """

    def __init__(self, runner: Child, path: Path, setting: dict[str, Any]) -> None:
        self._runner = runner
        self._number = runner.ask("open", path=str(path), setting=setting)["session"]

    def run(self) -> None:
        self.timed()

    def timed(self) -> Sample:
        return Sample(**self._runner.ask("run", session=self._number))

    def outputs_to(self, out: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
        """Run once; return the outputs, and what the session tells of itself."""
        reply = self._runner.ask("outputs", session=self._number, out=str(out))
        with np.load(out, allow_pickle=False) as file:
            return [file[name] for name in file.files], reply

    def close(self) -> None:
        if self._number:
            number, self._number = self._number, 0
            self._runner.ask("close", session=number)
