"""What every whole model is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from ..spec import Spec


class SpecModel(nn.Module, ABC):
    """The torch module of a spec; its parameters are named as the family's checkpoints have them.

    It maps images (batch, in_channels, R, R), or for a family of texts words (batch, tokens), to
    logits (batch, classes).
    """

    spec: Spec

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def chain(self) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another is running the model.
        """


def spec_of(model: nn.Module) -> Spec:
    """Return the spec of a whole model, or of what runs one and says whose it is."""
    spec = model.spec
    assert isinstance(spec, Spec), f"{type(model).__name__} is not a model of a spec"
    return spec
