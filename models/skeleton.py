"""Models without weights, put together quickly: a new subnet is run in every step of training.

On the meta device a layer still takes a millisecond to make; there are few different ones.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .create import create_model
from .families.registry import find_of
from .spec import Spec

# Layers hold no weights, only what they are.
KEPT_LAYERS = 4096


def skeleton(spec: Spec) -> nn.Module:
    """Return what runs as `create_model(spec)` once its tensors are given (`functional_call`).

    Its tensors have that model's names and are on the meta device. Skeletons share layers, so that
    one's mode (train or eval) has to be set each time it runs.
    """
    make: Callable[[Spec], nn.Module | None] | None = find_of(spec.family, "skeleton")
    made = None if make is None else make(spec)
    if made is not None:
        return made
    with torch.device("meta"):
        return create_model(spec)
