"""The two cheap residual layers of EfficientViT: token interaction and feed-forward."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ...block import Block
from ...checks import check_kernel
from .norm import activation, conv_norm


class Residual(nn.Module):
    """x + m(x); (batch, embed, R, R) in and out."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.m = branch

    def forward(self, x: Tensor) -> Tensor:
        return x + self.m(x)


class TokenInteraction(Residual):
    """The op `dwconv`: a depthwise convolution beside the identity.

    Once its norm is folded the identity is folded too: it is 1 in the middle of the kernel.
    """

    @classmethod
    def of(cls, block: Block) -> TokenInteraction:
        """Return the module of `block` with initial weights; UserError for a wrong kernel."""
        embed, kernel = block["embed"], block["kernel"]
        check_kernel("kernel", kernel, block["resolution"])
        return cls(conv_norm(embed, embed, kernel, groups=embed, norm=block["norm"]))

    def folded(self) -> nn.Module:
        """Return the one convolution that gives the same."""
        if not isinstance(self.m, nn.Conv2d):
            return self
        conv = copy.deepcopy(self.m)
        middle = conv.weight.shape[-1] // 2
        with torch.no_grad():
            conv.weight[:, :, middle, middle] += 1
        return conv


class FeedForward(nn.Module):
    """Two 1x1 convolutions with an activation between them; (batch, embed, R, R) in and out."""

    def __init__(self, embed: int, mlp: int, act: int, norm: int) -> None:
        super().__init__()
        self.pw1 = conv_norm(embed, mlp, norm=norm)
        self.act = activation(act)
        self.pw2 = conv_norm(mlp, embed, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.pw2(self.act(self.pw1(x)))


def feed_forward_block(block: Block) -> Residual:
    """Return the module of a block of op `ffn` with initial weights."""
    return Residual(FeedForward(block["embed"], block["mlp"], block["activation"], block["norm"]))
