"""What a runtime does with the files of models that are deployed to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...backends import Executable
from ...errors import UserError
from .deployed_file import DeployedFile

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    Images = Sequence[np.ndarray] | np.ndarray


class DeployedRuntime(ABC):
    """One runtime.

    precisions: what it can be given, what the others are compared with first. methods: how
    "int8-static" can be told to choose its ranges; one alone means the runtime's own way.
    """

    name: str
    precisions: tuple[str, ...]
    methods: tuple[str, ...] = ("minmax",)

    def why_not_here(self) -> str | None:
        """Say in one sentence which package is lacking, None where nothing is."""
        return None

    @abstractmethod
    def write(
        self, folder: Path, precision: str, out: Path, batch: int, images: Images, method: str
    ) -> Path:
        """Write the model in `folder` to `out` and return its file; see `deploy`."""

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Return all files of what `write` returned."""
        return (path,)

    @abstractmethod
    def open(self, file: DeployedFile) -> Executable:
        """Return a fresh session; raises BackendError where the runtime refuses the file."""

    @abstractmethod
    def module(self, file: DeployedFile) -> nn.Module:
        """Return a module that computes with this very file."""

    def images_at_once(self, file: DeployedFile) -> int:
        """Return how many images that module is given at a time when it is tested."""
        return file.batch

    @abstractmethod
    def prepare(self, file: DeployedFile) -> None:
        """Import all that is in a process's memory before it loads the file."""

    def open_alone(self, file: DeployedFile) -> Executable:
        """Return a session as a program on a device opens it, which does nothing else."""
        return self.open(file)


def in_batches(images: Images, batch: int) -> list[np.ndarray]:
    """Return the images in whole batches; what is left over is filled up with the first ones."""
    import numpy as np

    if not len(images):
        raise UserError("int8-static learns its ranges from images, and there is none.")
    found = np.asarray(images)
    missing = -len(found) % batch
    filled = np.concatenate([found, np.resize(found, (missing, *found.shape[1:]))])
    return list(filled.reshape(-1, batch, *found.shape[1:]))
