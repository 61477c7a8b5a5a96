"""The prunable structures of a VGG: the output channels of every convolution.

Khaki et al. 2024 (OPTIN), table 9 and appendix A.10: of a CNN the output channels go.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import torch

from ... import VggSpec
from ...structures.structure import Part, Structure

# A channel's row in the convolution and its entries in the batch norm, running statistics too.
OF_A_CHANNEL = (
    "conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var",
)  # fmt: skip


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
        parts = [Part(f"{prefix}.{name}", 0, each) for name in OF_A_CHANNEL]
        if number < last:
            parts.append(Part(f"convs.{number + 1}.conv.weight", 1, each))
        else:
            # The map is flattened channel by channel.
            places = torch.arange(width * spec.pooled**2).reshape(width, -1)
            parts.append(Part(dense, 1, places))
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
