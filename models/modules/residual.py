"""The pre-norm residual connection both halves of a transformer layer have."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class LayerScale(nn.Module):
    """A learned factor a channel (Touvron et al. 2021 (CaiT), section 2); (..., embed)."""

    def __init__(self, embed: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((embed,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


def residual(
    x: Tensor, norm: nn.Module, branch: nn.Module, scale: nn.Module | None = None
) -> Tensor:
    """Return x + scale(branch(norm(x))), (batch, tokens, embed) in and out; scale may be absent."""
    added = branch(norm(x))
    return x + (added if scale is None else scale(added))


def with_scale(linear: nn.Linear, scale: LayerScale) -> nn.Linear:
    """Return a linear layer that gives scale(linear(x)), up to rounding."""
    scaled = copy.deepcopy(linear)
    with torch.no_grad():
        scaled.weight.mul_(scale.gamma[:, None])
        if scaled.bias is not None:
            scaled.bias.mul_(scale.gamma)
    return scaled
