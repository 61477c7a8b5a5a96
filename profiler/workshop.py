"""From a point to an executable: modules are compiled once and loaded afresh often."""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..backends import Backend, BackendOptions, Executable
from ..models import Spec, create_block, create_model
from .plan import Subject

if TYPE_CHECKING:
    from torch import nn


class CannotBuildError(Exception):
    """A point that this runtime cannot compile, load or run; the text is the runtime's own."""


class Workshop:
    """Compiles points, keeps the artifacts on disk while open, and opens fresh sessions of them.

    Use as a context manager; the artifacts go with it. Weights are random: a latency does not
    depend on their values.
    """

    def __init__(self, backend: Backend, options: BackendOptions, batch: int) -> None:
        self.backend = backend
        self.options = options
        self.batch = batch
        self.build_s = 0.0
        self.load_s = 0.0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._artifacts: dict[Subject, Path] = {}

    def __enter__(self) -> Workshop:
        self._folder = tempfile.TemporaryDirectory(prefix="vitprof-")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def fresh_session(self, subject: Subject) -> Executable:
        """Return a new Executable of the subject; raises CannotBuildError with the reason."""
        artifact = self._artifact(subject)
        started = time.perf_counter()
        try:
            return self.backend.load(artifact.read_bytes(), self.options)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise CannotBuildError(_reason(error)) from error
        finally:
            self.load_s += time.perf_counter() - started

    def _artifact(self, subject: Subject) -> Path:
        assert self._folder is not None, "a workshop builds inside its with block"
        if subject not in self._artifacts:
            started = time.perf_counter()
            path = Path(self._folder.name) / str(len(self._artifacts))
            path.write_bytes(self._build(subject))
            self._artifacts[subject] = path
            self.build_s += time.perf_counter() - started
        return self._artifacts[subject]

    def _build(self, subject: Subject) -> bytes:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module, shape = _random_module(subject)
                return self.backend.build(module, (self.batch, *shape), self.options)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise CannotBuildError(_reason(error)) from error


def _random_module(subject: Subject) -> tuple[nn.Module, tuple[int, ...]]:
    """Return the subject's torch module and its input shape for one image.

    Weights are uniform: a careful initialisation takes longer than to measure the model.
    """
    import torch
    from torch import nn

    with torch.device("meta"):
        if isinstance(subject, Spec):
            module, first = create_model(subject), subject.blocks()[0]
        else:
            module, first = nn.Sequential(*map(create_block, subject)), subject[0]
    module.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.04, 0.04)
    return module.eval(), first.input_shape


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
