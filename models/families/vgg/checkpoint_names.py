"""From the weight names of torchvision's and timm's VGG to the module's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


_TIMM = {"pre_logits.fc1": "hidden.0", "pre_logits.fc2": "hidden.1", "head.fc": "head"}


def vgg_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of torchvision's VGG under the module's names.

    There `features` holds convolutions, norms, activations and pooling by number, and `classifier`
    dense layers, activations and dropouts. timm's has the dense layers as the convolutions
    `pre_logits.fc1` and `.fc2`, and the last one as `head.fc`. Other names are kept.
    """
    numbers = sorted(
        {
            int(match[1])
            for name, weight in weights.items()
            if (match := re.match(r"^features\.(\d+)\.weight$", name)) and weight.ndim == 4
        }
    )
    places = {number: place for place, number in enumerate(numbers)}
    dense = sorted(
        {int(match[1]) for name in weights if (match := re.match(r"^classifier\.(\d+)\.", name))}
    )
    renamed = {}
    for name, weight in weights.items():
        of_timm = re.match(r"^(pre_logits\.fc[12]|head\.fc)\.(weight|bias)$", name)
        if of_timm is not None and numbers:
            matrix = weight.flatten(1) if weight.ndim == 4 else weight
            renamed[f"{_TIMM[of_timm[1]]}.{of_timm[2]}"] = matrix
            continue
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
