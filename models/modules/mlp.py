"""The feed-forward half of a transformer layer."""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from ..block import Block
from . import initial
from .residual import LayerScale, residual, with_scale


class Mlp(nn.Module):
    """Two linear layers with the exact GELU between them; (batch, tokens, embed) in and out."""

    def __init__(self, embed: int, mlp: int) -> None:
        super().__init__()
        self.fc1 = initial.linear(embed, mlp)
        self.fc2 = initial.linear(mlp, embed)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class TanhMlp(Mlp):
    """The same with GELU's approximation by tanh (Hendrycks & Gimpel 2016, section 2)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class QuickMlp(Mlp):
    """The same with x·sigmoid(1.702·x) (Hendrycks & Gimpel 2016, section 2), as CLIP has it."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x)
        return self.fc2(hidden * (1.702 * hidden).sigmoid())


class SwigluMlp(Mlp):
    """fc2(SiLU(gate)·value), gate and value from one layer `fc1` of width 2·mlp (Shazeer 2020)."""

    def __init__(self, embed: int, mlp: int) -> None:
        super().__init__(embed, mlp)
        self.fc1 = initial.linear(embed, 2 * mlp)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.fc1(x).chunk(2, dim=-1)
        return self.fc2(F.silu(gate) * value)


MLPS: dict[str, Callable[[int, int], Mlp]] = {
    "mlp": Mlp,
    "mlp_gelu_tanh": TanhMlp,
    "mlp_quick_gelu": QuickMlp,
    "swiglu_mlp": SwigluMlp,
}


class MlpBlock(nn.Module):
    """The op `mlp` alone, or another of `MLPS`: layer norm, MLP, residual.

    (batch, tokens, embed) in and out. ls2: what scales the branch, where there is something.
    """

    def __init__(self, norm2: nn.LayerNorm, mlp: Mlp, ls2: LayerScale | None = None) -> None:
        super().__init__()
        self.norm2 = norm2
        self.mlp = mlp
        self.ls2 = ls2

    @classmethod
    def of(
        cls,
        block: Block,
        norm_eps: float = initial.DEFAULT_NORM_EPS,
        layer_scale: bool = False,
    ) -> MlpBlock:
        """Return the module of `block` with initial weights."""
        embed = block["embed"]
        scale = LayerScale(embed) if layer_scale else None
        mlp = MLPS[block.op](embed, block["mlp"])
        return cls(nn.LayerNorm(embed, eps=norm_eps), mlp, scale)

    def forward(self, x: Tensor) -> Tensor:
        return residual(x, self.norm2, self.mlp, self.ls2)

    def folded(self) -> MlpBlock:
        """Return the block with its layer scale inside the second layer: what is deployed."""
        if self.ls2 is None:
            return self
        mlp = copy.deepcopy(self.mlp)
        mlp.fc2 = with_scale(self.mlp.fc2, self.ls2)
        return MlpBlock(self.norm2, mlp)
