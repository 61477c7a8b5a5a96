"""From a point to an executable: modules are compiled once and loaded afresh often."""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..backends import Backend, BackendOptions, Executable
from ..models import Block, Spec, create_block, create_model
from .plan import Point

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
        self._artifacts: dict[Point, Path] = {}

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

    def fresh_session(self, point: Point) -> Executable:
        """Return a new Executable of the point; raises CannotBuildError with the reason."""
        artifact = self._artifact(point)
        started = time.perf_counter()
        try:
            return self.backend.load(artifact.read_bytes(), self.options)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise CannotBuildError(_reason(error)) from error
        finally:
            self.load_s += time.perf_counter() - started

    def _artifact(self, point: Point) -> Path:
        assert self._folder is not None, "a workshop builds inside its with block"
        if point not in self._artifacts:
            started = time.perf_counter()
            path = Path(self._folder.name) / str(len(self._artifacts))
            path.write_bytes(self._build(point))
            self._artifacts[point] = path
            self.build_s += time.perf_counter() - started
        return self._artifacts[point]

    def _build(self, point: Point) -> bytes:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module, shape = _random_module(point.subject)
                return self.backend.build(module, (self.batch, *shape), self.options)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise CannotBuildError(_reason(error)) from error


def _random_module(subject: Block | Spec) -> tuple[nn.Module, tuple[int, ...]]:
    """Return the subject's torch module and its input shape for one image.

    Weights are uniform: a careful initialisation takes longer than to measure the model.
    """
    import torch

    with torch.device("meta"):
        module = create_block(subject) if isinstance(subject, Block) else create_model(subject)
    module.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.04, 0.04)
    shape = subject.input_shape if isinstance(subject, Block) else subject.blocks()[0].input_shape
    return module.eval(), shape


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
