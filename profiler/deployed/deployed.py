"""A model as it is put on a CPU: a file in some precision, for a runtime, at a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_write import made_folder
from ...backends import Executable
from .deployed_file import DeployedFile
from .deployed_runtime import DeployedRuntime
from .process_memory import ProcessMemory, memory_of
from .runtimes import RUNTIMES, check_precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import nn

    from ...models import Spec


@dataclass(frozen=True)
class Deployed(DeployedFile):
    """Such a file with what its runtime does with it.

    spec: of a foreign model, whose `folder` has none.
    """

    spec: Spec | None = None

    @property
    def by(self) -> DeployedRuntime:
        """What writes and runs such files."""
        return RUNTIMES[self.runtime]

    @property
    def file_bytes(self) -> int:
        """The size of all its files."""
        return sum(path.stat().st_size for path in self.by.parts(self.path))

    def open(self) -> Executable:
        """Return a fresh session; raises BackendError where the runtime refuses the file."""
        return self.by.open(self)

    def module(self) -> nn.Module:
        """Return a module that computes with this very file."""
        return self.by.module(self)

    def memory(self) -> ProcessMemory:
        """Return the peak resident set of a process that loads and runs it.

        Raises BackendError with its last words where that process fails.
        """
        return memory_of(
            {
                "folder": str(self.folder),
                "runtime": self.runtime,
                "precision": self.precision,
                "path": str(self.path),
                "batch": self.batch,
                "threads": self.threads,
            }
        )


def deploy(
    folder: Path,
    runtime: str,
    precision: str,
    out: Path,
    *,
    batch: int = 1,
    threads: int = 1,
    calibration: Sequence[np.ndarray] | np.ndarray = (),
    method: str = "minmax",
) -> Deployed:
    """Write the model in `folder` as one file to the folder `out` and return what it is.

    calibration: normalised images, n x channels x h x w, that "int8-static" learns its ranges from;
    method: how (see `static_int8`). Raises UserError for a precision that the runtime lacks,
    BackendError where it cannot be converted.
    """
    check_precision(runtime, precision)
    made_folder(out)
    path = RUNTIMES[runtime].write(folder, precision, out, batch, calibration, method)
    return Deployed(folder, runtime, precision, path, batch, threads)
