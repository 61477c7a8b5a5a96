"""The prunable structures of a VGG: the output channels of every convolution.

Khaki et al. 2024 (OPTIN), table 9 and appendix A.10: of a CNN the output channels go.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import torch

from ...structures.prunable import ChannelSteps
from ...structures.structure import Structure, WeightSlice
from .spec import VggSpec

# A channel's row in the convolution and its entries in the batch norm, running statistics too.
OF_A_CHANNEL = (
    "conv.weight",
    "conv.bias",
    "bn.weight",
    "bn.bias",
    "bn.running_mean",
    "bn.running_var",
)


def vgg_structures(spec: VggSpec, aligned: bool = True) -> list[Structure]:
    """Return the channels of each convolution, "convs.0.channels" and so on.

    A channel is also an input of the next convolution, or, of the last, pooled² inputs of the first
    dense layer. `aligned` is for families with heads.
    """
    found = []
    last = len(spec.channels) - 1
    dense = "hidden.0.weight" if spec.hidden else "head.weight"
    for number, width in enumerate(spec.channels):
        prefix = f"convs.{number}"
        each = torch.arange(width)[:, None]
        parts = [WeightSlice(f"{prefix}.{name}", 0, each) for name in OF_A_CHANNEL]
        if number < last:
            parts.append(WeightSlice(f"convs.{number + 1}.conv.weight", 1, each))
        else:
            # The map is flattened channel by channel.
            places = torch.arange(width * spec.pooled**2).reshape(width, -1)
            parts.append(WeightSlice(dense, 1, places))
        found.append(Structure(f"{prefix}.channels", "channels", tuple(parts)))
    return found


def vgg_with_units(spec: VggSpec, units: Mapping[str, int]) -> VggSpec:
    """Return the spec with so many channels in each convolution named."""
    numbers = itertools.count()
    stages = tuple(
        tuple(units.get(f"convs.{next(numbers)}.channels", width) for width in stage)
        for stage in spec.stages
    )
    return replace(spec, stages=stages)


def vgg_steps(spec: VggSpec) -> ChannelSteps:
    """Return each step's layer, whether what goes into it is compared, and what reads a channel.

    Khaki et al. 2024 (OPTIN), A.10, sum over the layers after the one that is pruned, and do not
    say which of a layer's feature maps: here it is what the next step reads, after batch norm, ReLU
    and pooling. So a channel read by step n shows first in what goes into step n + 1. Dense layers
    count too; averaging the last map makes no further one.
    """
    convs, dense = len(spec.channels), len(spec.hidden)
    # Averaging, the step after the convolutions, and what reads its output are one layer.
    layers = [*range(convs + 1), *range(convs, convs + dense + 1)]
    compared = [False, *[True] * convs, False, *[True] * dense]
    readers = {f"convs.{number}.channels": number + 1 for number in range(convs)}
    return ChannelSteps(layers, compared, readers)
