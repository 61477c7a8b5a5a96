"""The average of a model's weights over the steps of a run (EMA)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


class AveragedWeights:
    """An exponential moving average of weights: a <- decay a + (1 - decay) w after every step.

    Polyak & Juditsky 1992; with DeiT's decay of 0.99996, as in Touvron et al. 2021, section 6.
    Numbers that are not floats (counters of batch normalisation) are the latest ones.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights = {name: w.detach().clone() for name, w in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        for name, weight in model.state_dict().items():
            average = self._weights[name]
            if average.is_floating_point():
                average.lerp_(weight.to(average.dtype), 1 - self.decay)
            else:
                average.copy_(weight)

    def copy_to(self, model: nn.Module) -> None:
        """Give the model the average in place of its weights."""
        model.load_state_dict(self._weights)

    def moved(self, moved: Callable[[str, Tensor], Tensor]) -> dict[str, Tensor]:
        """Return what becomes of each where the model is exchanged: see `replace_model`."""
        return {
            name: moved(name, weight) if weight.ndim else weight
            for name, weight in self._weights.items()
        }

    def state(self) -> dict[str, Tensor]:
        return dict(self._weights)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from what `state` or `moved` returned."""
        for name, own in self._weights.items():
            if name in weights:
                own.copy_(weights[name])
