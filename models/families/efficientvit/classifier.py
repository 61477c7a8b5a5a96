"""From the last map of EfficientViT to logits."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...block import Block
from ...modules import initial
from ...ops.codes import NORMS, choice


class PooledClassifier(nn.Module):
    """The op `pooled_classifier`: mean over the map, norm, linear layer.

    (batch, embed, R, R) to logits (batch, classes).
    """

    def __init__(self, embed: int, classes: int, norm: int) -> None:
        super().__init__()
        is_batch = choice(NORMS, norm, "norm") == "batch"
        self.bn: nn.Module = (
            nn.BatchNorm1d(embed) if is_batch else nn.LayerNorm(embed, eps=initial.DEFAULT_NORM_EPS)
        )
        self.linear = initial.linear(embed, classes)

    @classmethod
    def of(cls, block: Block) -> PooledClassifier:
        """Return the module of `block` with initial weights."""
        return cls(block["embed"], block["classes"], block["norm"])

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.bn(F.adaptive_avg_pool2d(x, 1).flatten(1)))

    def folded(self) -> nn.Module:
        """Return the same with the batch norm in the linear layer, computed in fp64.

        W' = W * g / sqrt(var + eps), b' = b + W (beta - mean * g / sqrt(var + eps)).
        """
        if not isinstance(self.bn, nn.BatchNorm1d):
            return self
        if self.bn.running_mean is None or self.bn.running_var is None:
            raise ValueError("only a batch norm with running statistics can be folded")
        fixed = copy.deepcopy(self)
        fixed.bn = nn.Identity()
        with torch.no_grad():
            scale = self.bn.weight.double() / (self.bn.running_var.double() + self.bn.eps).sqrt()
            shift = self.bn.bias.double() - self.bn.running_mean.double() * scale
            weight, bias = self.linear.weight.double(), self.linear.bias.double()
            fixed.linear.weight.copy_(weight * scale)
            fixed.linear.bias.copy_(bias + weight @ shift)
        return fixed
