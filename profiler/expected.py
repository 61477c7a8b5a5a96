"""The outputs that artifacts are to have: of the torch module, or of a graph as it was given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..backends import Backend, BackendOptions, OnnxRuntimeBackend, PrunesWeights
from ..backends.agreement import INT8_DTYPES, OutputSketch, sketches
from ..backends.random_input import input_dtype, seeded_input
from ..models.families.foreign.spec import ForeignSpec
from .plan import Subject

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Sketches = tuple[OutputSketch, ...]


class ExpectedOutputs:
    """Sketches of the outputs of subjects in fp32, for their first image, each computed once."""

    def __init__(self, backend: Backend, options: BackendOptions) -> None:
        self._backend = backend
        self._options = options
        self._known: dict[Subject, Sketches] = {}

    def of(self, subject: Subject) -> Sketches | None:
        """Return those of a subject; None where nobody knows them.

        Those of a runtime's own kernels are not known: they are made without a module.
        """
        return self._known.get(subject)

    def take(self, subject: Subject, expected: Sketches) -> None:
        """Keep what a builder elsewhere computed."""
        self._known[subject] = expected

    def compute(self, subject: Subject, module: nn.Module, shape: tuple[int, ...]) -> None:
        """Keep those of the module that a subject's artifact was built from."""
        if subject in self._known:
            return
        if self._options.sparsity != "dense":
            if not isinstance(self._backend, PrunesWeights):
                return
            module = self._backend.pruned(module, self._options)
        # An image's outputs do not depend on the others of its batch.
        first = seeded_input(shape, input_dtype(module, "fp32"))[:1]
        self._keep(subject, _of_module(module, first))

    def compute_foreign(self, spec: ForeignSpec, model: bytes | nn.Module) -> None:
        """Keep those of a foreign model: its ONNX graph, not optimised, or its module.

        Not for int8: how far that moves trained outputs is a question of accuracy (`quantize`).
        """
        if spec in self._known or self._options.dtype in INT8_DTYPES:
            return
        if isinstance(model, bytes):
            runtime = OnnxRuntimeBackend()
            if runtime.unavailable() is None:
                with runtime.load(model, BackendOptions(optimization="disabled")) as executable:
                    executable.run()
                    self._keep(spec, sketches(executable.outputs()))
        else:
            given = seeded_input(spec.inputs[0][1], input_dtype(model, "fp32"))
            self._keep(spec, _of_module(model, given))

    def _keep(self, subject: Subject, expected: Sketches) -> None:
        """Keep outputs that are numbers; a model that gives none itself cannot be compared with."""
        if all(math.isfinite(value) for one in expected for value in one.sums):
            self._known[subject] = expected


def _of_module(module: nn.Module, given: np.ndarray) -> Sketches:
    import torch

    with torch.inference_mode():
        outputs = module(torch.from_numpy(given))
    outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
    return sketches([output.numpy() for output in outputs])
