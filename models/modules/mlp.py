"""The feed-forward half of a transformer layer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..block import Block
from . import initial
from .residual import residual


class Mlp(nn.Module):
    """Two linear layers with the exact GELU between them; (batch, tokens, embed) in and out."""

    def __init__(self, embed: int, mlp: int) -> None:
        super().__init__()
        self.fc1 = initial.linear(embed, mlp)
        self.fc2 = initial.linear(mlp, embed)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class MlpBlock(nn.Module):
    """The op `mlp` alone: layer norm, MLP, residual; (batch, tokens, embed) in and out."""

    def __init__(self, norm2: nn.LayerNorm, mlp: Mlp) -> None:
        super().__init__()
        self.norm2 = norm2
        self.mlp = mlp

    @classmethod
    def of(cls, block: Block, norm_eps: float = initial.DEFAULT_NORM_EPS) -> MlpBlock:
        """Return the module of `block` with initial weights."""
        norm = nn.LayerNorm(block["embed"], eps=norm_eps)
        return cls(norm, Mlp(block["embed"], block["mlp"]))

    def forward(self, x: Tensor) -> Tensor:
        return residual(x, self.norm2, self.mlp)
