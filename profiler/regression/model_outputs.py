"""What two models give for the same input: one that gives other answers is no faster model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...backends.agreement import TOLERANCE, relative_error
from ...errors import UserError
from ...models import Spec
from ...models.families.foreign.spec import ForeignSpec
from ..workshop import CannotBuildError, Workshop

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ModelOutputs:
    """A model's inputs by shape, and its outputs for the seeded input.

    trained: the weights are the model's own, so the numbers mean something; else they are random
    ones, and only shapes can be compared.
    """

    name: str
    inputs: tuple[Shape, ...]
    outputs: Sequence[np.ndarray]
    trained: bool

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(one.shape for one in self.outputs)


def outputs_of(
    name: str, spec: Spec, workshop: Workshop, weights: Path | None = None
) -> ModelOutputs:
    """Run a model once and return its outputs; weights: the folder that it was trained in, if any.

    A trained model is measured with random weights, as `bench` does, so its own answers are those
    of PyTorch. Raises UserError where the model cannot be built or run, or where the runtime
    computes something else than the model.
    """
    try:
        with workshop.fresh_session(spec) as session:
            session.run()
            wrong = workshop.finding(spec, session).wrong
            outputs = session.outputs()
    except (CannotBuildError, RuntimeError) as error:
        raise UserError(f"{name} cannot be run here: {_words(error)}.") from None
    if wrong is not None:
        raise UserError(f"{name} cannot be judged: {wrong}.")
    if isinstance(spec, ForeignSpec):
        return ModelOutputs(name, tuple(shape for _, shape in spec.inputs), outputs, trained=True)
    inputs = ((workshop.batch, *spec.input_shape),)
    own = None if weights is None else _trained_outputs(weights, inputs[0])
    return ModelOutputs(name, inputs, own or outputs, own is not None)


def why_other(base: ModelOutputs, head: ModelOutputs, dtype: str) -> str | None:
    """Return in what head differs from base; None where it stands for the same model.

    Numbers are compared where both have their own weights: their relative L2 distance may be what
    a runtime's is from PyTorch's in that dtype.
    """
    if base.inputs != head.inputs:
        return f"takes inputs of {_shapes(head.inputs)}, and {base.name} of {_shapes(base.inputs)}"
    if base.shapes != head.shapes:
        return f"gives outputs of {_shapes(head.shapes)}, and {base.name} of {_shapes(base.shapes)}"
    if not (base.trained and head.trained):
        return None
    most = TOLERANCE[dtype]
    # Each output by itself, for a large one would hide the others; numbers, not indices or flags.
    pairs = [
        ([one], [other])
        for one, other in zip(head.outputs, base.outputs, strict=True)
        if other.dtype.kind not in "iub"
    ]
    error = max((relative_error(*pair) for pair in pairs), default=0.0)
    if error <= most:
        return None
    return f"gives other outputs than {base.name}: they differ by {error:.2g}, above {most:g}"


def _trained_outputs(folder: Path, shape: Shape) -> list[np.ndarray] | None:
    """Return what a folder's model answers by PyTorch in fp32; None where it has no weights."""
    import torch

    from ...backends.pytorch.session import tensors_of
    from ...backends.random_input import input_dtype, seeded_input
    from ...models import create_model

    try:
        model = create_model(folder, checkpoint=folder)
    except UserError:  # a spec alone: it is measured with random weights all the same
        return None
    given = torch.from_numpy(seeded_input(shape, input_dtype(model, "fp32")))
    with torch.inference_mode():
        return [tensor.float().numpy() for tensor in tensors_of(model(given))]


def _shapes(shapes: Sequence[Shape]) -> str:
    return " and ".join("x".join(map(str, shape)) or "a single number" for shape in shapes)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:500].rstrip(".") or type(error).__name__
