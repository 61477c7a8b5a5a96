"""Output channels of a chain of convolutions as units (Khaki et al. 2024, OPTIN, appendix A.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...models.structures.structure import Structure

# λ of eq. 3 for channels; the paper names none. (Of 0, 0.01, 1, 10 and 100 on digits and CIFAR-10,
# when it stood between the bare errors, of which one is about as large as the other there.)
LOGITS_WEIGHT = 1.0


@dataclass(frozen=True)
class ChannelSource:
    """The output channels of one convolution, by the step that reads them.

    A channel whose map is zero after batch norm, ReLU and pooling adds nothing to what reads it, so
    it is left out there, and nothing before has to run again. step: the reader's place.
    """

    structure: Structure
    step: int

    def without(self, step: nn.Module, x: Tensor, units: Tensor, variants: int = 1) -> Tensor:
        """Return the step's output without each of the channels, one variant after another.

        x: (variants x images) x channels x h x w: what goes into the step, of one model
        (variants=1) or of as many as there are units.
        """
        count = len(units)
        x = x.reshape(variants, -1, *x.shape[1:]).expand(count, -1, -1, -1, -1).clone()
        x[torch.arange(count), :, units] = 0
        return step(x.flatten(0, 1))


class MeanSquares:
    """One layer's map of the unpruned model, averaged over the images.

    features: images x any shape.
    """

    def __init__(self, features: Tensor) -> None:
        self.mean = features.mean(dim=0)

    def errors(self, features: Tensor) -> Tensor:
        """Return the error of each of n variants (n x the shape above), one number each.

        A.10: maps are averaged over the batch first, and the error of a layer is the mean square of
        what their averages differ by.
        """
        return (features.mean(dim=1) - self.mean).square().flatten(1).mean(dim=1)


def channel_sources(
    structures: Sequence[Structure], readers: Mapping[str, int]
) -> list[ChannelSource]:
    """Return the sources of the channels; `readers`: the step that reads each structure's."""
    return [ChannelSource(s, readers[s.name]) for s in structures]
