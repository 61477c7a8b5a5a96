"""The pre-norm residual connection both halves of a transformer layer have."""

from __future__ import annotations

from torch import Tensor, nn


def residual(x: Tensor, norm: nn.Module, branch: nn.Module) -> Tensor:
    """Return x + branch(norm(x)); (batch, tokens, embed) in and out."""
    return x + branch(norm(x))
