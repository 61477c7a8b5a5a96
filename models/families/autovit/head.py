"""From AutoViT's last map to logits: MBPool and a linear layer."""

from __future__ import annotations

from torch import Tensor, nn

from ...block import Block
from ...modules import initial
from .conv import ConvNormAct, activation_of


class MBPool(nn.Module):
    """1×1 convolution to `mlp` channels, mean over the map, linear layer, activation.

    (batch, in_channels, R, R) to (batch, out_channels).
    """

    def __init__(self, in_channels: int, mlp: int, out_channels: int, act: nn.Module) -> None:
        super().__init__()
        self.expand = ConvNormAct(in_channels, mlp, 1, act)
        self.mix = initial.linear(mlp, out_channels)
        self.act = act

    @classmethod
    def of(cls, block: Block) -> MBPool:
        """Return the module of a block of op `mbpool`; UserError for an unknown activation."""
        act = activation_of(block)
        return cls(block["in_channels"], block["mlp"], block["out_channels"], act)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.mix(self.expand(x).mean(dim=(2, 3))))


def linear_classifier(block: Block) -> nn.Linear:
    """Return the module of the op `linear_classifier`: (batch, embed) to (batch, classes)."""
    return initial.linear(block["embed"], block["classes"])
