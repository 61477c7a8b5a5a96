"""Token merging without matching, to see what the matching is worth."""

from __future__ import annotations

from torch import Generator, nn

from ...models import create_model
from ...models.modules.merging_layer import MergingLayer


def merging_at_random(model: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy that merges as many tokens in every layer, each with a random other one.

    Bolya et al. 2023 (ToMe), Table 1. The draws are from `seed`, on the CPU, call after call.
    """
    made = create_model(model.spec)  # type: ignore[arg-type]
    made.load_state_dict(model.state_dict())
    made.to(next(model.parameters()).device).train(model.training)
    chance = Generator().manual_seed(seed)
    for module in made.modules():
        if isinstance(module, MergingLayer):
            module.chance = chance
    return made
