"""Attention within the windows of a map: EfficientViT's op `cga`."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ....errors import UserError
from ...block import Block
from ...checks import check_kernel, check_whole_number
from .attention import GroupAttention
from .ops import kernels_of
from .residual import Residual


class WindowAttention(nn.Module):
    """Attention within each window of side W; (batch, embed, R, R) in and out.

    A map that windows do not cover is filled with zeros at its end, as in the official model, and
    these take part in the attention.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.embed, self.side, self.window = (block[a] for a in ("embed", "resolution", "window"))
        self.attn = GroupAttention(block)

    def forward(self, x: Tensor) -> Tensor:
        if self.side == self.window:
            return self.attn(x)
        embed, window = self.embed, self.window
        count = -(-self.side // window)
        covered = count * window
        if covered > self.side:
            x = F.pad(x, (0, covered - self.side, 0, covered - self.side))
        x = x.reshape(-1, embed, count, window, count, window)
        x = x.permute(0, 2, 4, 1, 3, 5).reshape(-1, embed, window, window)
        x = self.attn(x).reshape(-1, count, count, embed, window, window)
        x = x.permute(0, 3, 1, 4, 2, 5).reshape(-1, embed, covered, covered)
        return x[:, :, : self.side, : self.side] if covered > self.side else x


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
