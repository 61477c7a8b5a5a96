"""Attention within the windows of a map: EfficientViT's op `cga`."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import UserError
from ..block import Block
from ..checks import check_kernel, check_whole_number
from ..ops.efficientvit import kernels_of
from .efficientvit_attention import GroupAttention
from .efficientvit_residual import Residual


class WindowAttention(nn.Module):
    """Attention within each window of side W; (batch, embed, R, R) in and out.

    A map that windows do not cover is filled with zeros at its end, as in the official model, and
    these take part in the attention.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.side, self.window = block["resolution"], block["window"]
        self.attn = GroupAttention(block)

    def forward(self, x: Tensor) -> Tensor:
        if self.side == self.window:
            return self.attn(x)
        batch, embed = x.shape[0], x.shape[1]
        count = -(-self.side // self.window)
        missing = count * self.window - self.side
        if missing:
            x = F.pad(x, (0, missing, 0, missing))
        x = x.reshape(batch, embed, count, self.window, count, self.window)
        x = x.permute(0, 2, 4, 1, 3, 5).reshape(-1, embed, self.window, self.window)
        x = self.attn(x).reshape(batch, count, count, embed, self.window, self.window)
        x = x.permute(0, 3, 1, 4, 2, 5).reshape(batch, embed, self.side + missing, -1)
        return x[:, :, : self.side, : self.side] if missing else x


def attention_block(block: Block) -> Residual:
    """Return the module of a block of op `cga` with initial weights.

    Raises UserError for a window larger than the map, heads that do not divide embed, and kernels
    that are even or larger than the window.
    """
    check_whole_number("window", block["window"], 1, block["resolution"])
    if block["embed"] % block["heads"]:
        raise UserError(
            f"heads={block['heads']} of a cga does not divide embed={block['embed']}; change one "
            "of the two."
        )
    for kernel in kernels_of(block["kernels"], block["heads"]):
        check_kernel("kernels", kernel, block["window"])
    return Residual(WindowAttention(block))
