"""The VGGs known by name, and the names of their weights elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .spec import VggSpec

if TYPE_CHECKING:
    from torch import Tensor

# Convolutions a stage: columns A, B, D and E of Simonyan & Zisserman 2015, table 1.
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


def known_vggs() -> list[VggSpec]:
    """Return VGG-11 to -19 with batch norms, and each for CIFAR.

    Those see images of 32 pixels and have one dense layer of 512 (as the VGG-16 of Lin et al. 2020,
    HRank, of 313.7 MMACs).
    """
    found = []
    for depth, counts in _DEPTHS.items():
        stages = tuple((width,) * count for width, count in zip(_WIDTHS, counts, strict=True))
        found.append(VggSpec(stages=stages, name=f"vgg{depth}-bn"))
        found.append(
            VggSpec(
                stages=stages, hidden=(512,), pooled=1, resolution=32, classes=10,
                name=f"vgg{depth}-bn-cifar",
            )
        )  # fmt: skip
    return found


def vgg_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of torchvision's VGG under the module's names.

    There `features` holds convolutions, norms, activations and pooling by number, and `classifier`
    dense layers, activations and dropouts. Other names are kept.
    """
    numbers = sorted(
        {int(match[1]) for name, weight in weights.items()
         if (match := re.match(r"^features\.(\d+)\.weight$", name)) and weight.ndim == 4}
    )  # fmt: skip
    places = {number: place for place, number in enumerate(numbers)}
    dense = sorted(
        {int(match[1]) for name in weights if (match := re.match(r"^classifier\.(\d+)\.", name))}
    )
    renamed = {}
    for name, weight in weights.items():
        match = re.match(r"^(features|classifier)\.(\d+)\.(\w+)$", name)
        if match is None or not numbers:
            renamed[name] = weight
            continue
        part, number, kind = match[1], int(match[2]), match[3]
        if part == "classifier":
            place = dense.index(number)
            owner = "head" if number == dense[-1] else f"hidden.{place}"
            renamed[f"{owner}.{kind}"] = weight
        elif number in places:
            renamed[f"convs.{places[number]}.conv.{kind}"] = weight
        else:
            renamed[f"convs.{places.get(number - 1, number)}.bn.{kind}"] = weight
    return renamed
