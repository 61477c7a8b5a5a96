"""AdamW for a model, with a learning rate and a weight decay for each of its parts."""

from __future__ import annotations

import re

import torch
from torch import nn

from .plan import TrainingPlan

# Where blocks are numbered in the names of weights: "blocks.3", or "stages.1.blocks.0". What is
# numbered within a block is a part of it.
_BLOCK = re.compile(r"^(?:blocks|layers|stages)\.\d+(?:\.blocks\.\d+)?(?=\.)")


def optimizer_of(model: nn.Module, plan: TrainingPlan) -> torch.optim.AdamW:
    """Return AdamW; weight decay on matrices only, as for every ViT since DeiT.

    Each group says by `factor` which share of the learning rate is its own: 1 for all, but for
    `layer_decay` (Clark et al. 2020; Bao et al. 2022, as for BEiT): the head has 1, the last block
    layer_decay, each block before it once more, and what lies before the first block once more
    than that.
    """
    shares = layer_shares([name for name, _ in model.named_parameters()], plan.layer_decay)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        groups.setdefault((shares[name], parameter.ndim > 1), []).append(parameter)
    # In an order that does not depend on which weight comes first: matrices, then vectors.
    return torch.optim.AdamW(
        [
            {
                "params": groups[key],
                "weight_decay": plan.weight_decay if key[1] else 0.0,
                "factor": key[0],
            }
            for key in sorted(groups, key=lambda key: (not key[1], -key[0]))
        ],
        lr=plan.learning_rate,
    )


def layer_shares(names: list[str], decay: float) -> dict[str, float]:
    """Return the share of the learning rate of each weight, by its name, in the model's order."""
    if decay == 1:
        return dict.fromkeys(names, 1.0)
    blocks: list[str] = []
    for name in names:
        block = _block_of(name)
        if block is not None and block not in blocks:
            blocks.append(block)
    places = {block: place for place, block in enumerate(blocks)}
    first = next((n for n, name in enumerate(names) if _block_of(name) is not None), len(names))
    # A model whose head is the last of its blocks has no block after it.
    last = 1 if names and _block_of(names[-1]) is None else 0
    shares = {}
    for nth, name in enumerate(names):
        block = _block_of(name)
        if block is not None:
            power = len(blocks) - 1 - places[block] + last
        else:
            power = len(blocks) + last if nth < first else 0
        shares[name] = decay**power
    return shares


def _block_of(name: str) -> str | None:
    """Return the beginning of a weight's name up to the number of its block."""
    found = _BLOCK.match(name)
    return found[0] if found else None
