"""AdamW or Muon for a model, with a learning rate and a weight decay for each of its parts."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from ..errors import UserError
from .plan import TrainingPlan

# Where blocks are numbered in the names of weights: "blocks.3", or "stages.1.blocks.0". What is
# numbered within a block is a part of it.
_BLOCK = re.compile(r"^(?:blocks|layers|stages)\.\d+(?:\.blocks\.\d+)?(?=\.)")


def optimizer_of(model: nn.Module, plan: TrainingPlan) -> torch.optim.Optimizer:
    """Return the plan's optimizer; weight decay on matrices only, as for every ViT since DeiT.

    Each group says by `factor` which share of the learning rate is its own: 1 for all, but for
    `layer_decay` (Clark et al. 2020; Bao et al. 2022, as for BEiT): the head has 1, the last block
    layer_decay, each block before it once more, and what lies before the first block once more
    than that.

    Raises UserError for Muon where PyTorch lacks it.
    """
    shares = layer_shares([name for name, _ in model.named_parameters()], plan.layer_decay)
    groups: dict[tuple[float, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        by_muon = plan.optimizer == "muon" and parameter.ndim == 2 and _block_of(name) is not None
        groups.setdefault((shares[name], parameter.ndim > 1, by_muon), []).append(parameter)
    # In an order that does not depend on which weight comes first: matrices, then vectors.
    made: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for key in sorted(groups, key=lambda key: (not key[1], -key[0])):
        factor, decays, by_muon = key
        decay = plan.weight_decay if decays else 0.0
        made[by_muon].append({"params": groups[key], "weight_decay": decay, "factor": factor})
    adamw = torch.optim.AdamW(made[False], lr=plan.learning_rate)
    if not made[True]:
        return adamw
    if not hasattr(torch.optim, "Muon"):
        raise UserError(f"`optimizer` muon needs PyTorch 2.9 or later, not {torch.__version__}.")
    # Its updates are scaled to the size of AdamW's, whose learning rate and decay fit it then.
    muon = torch.optim.Muon(
        made[True], lr=plan.learning_rate, adjust_lr_fn="match_rms_adamw", weight_decay=0.0
    )
    return MuonAndAdamW(muon, adamw)


class MuonAndAdamW(torch.optim.Optimizer):
    """Muon for the matrices of a model's blocks and AdamW for its other weights, as one optimizer.

    Muon (Jordan et al. 2024) makes the momentum of a matrix orthogonal, by iterations in bf16. An
    update is multiplied by 0.2·√(longer side), which gives it the root mean square of AdamW's (Liu
    et al. 2025, "Muon is Scalable for LLM Training", eq. 4).
    """

    def __init__(self, muon: torch.optim.Optimizer, adamw: torch.optim.Optimizer) -> None:
        self.parts = (muon, adamw)
        groups = [group for part in self.parts for group in part.param_groups]
        super().__init__(groups, {})
        # The same groups and the same state: what is set in one is set in the other.
        self.param_groups = groups
        for part in self.parts:
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for part in self.parts:
            part.step()


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
