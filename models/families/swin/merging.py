"""Patch merging: half the side, another width (Liu et al. 2021, section 3.1)."""

from __future__ import annotations

from torch import Tensor, nn

from ....errors import UserError
from ...block import Block
from .spec import DEFAULT_NORM_EPS


class TokenMerging(nn.Module):
    """The op `token_merging`: each square of four tokens becomes one, of width `out_channels`.

    (batch, resolution², embed) → (batch, (resolution/2)², out_channels): the four side by side,
    column by column, then a layer norm and a linear layer without bias.
    """

    def __init__(self, embed: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.across = resolution // 2
        self.norm = nn.LayerNorm(4 * embed, eps=DEFAULT_NORM_EPS)
        self.reduction = nn.Linear(4 * embed, out_channels, bias=False)
        nn.init.trunc_normal_(self.reduction.weight, std=0.02)

    @classmethod
    def of(cls, block: Block) -> TokenMerging:
        """Return the module of `block` with initial weights; UserError for an odd resolution."""
        if block["resolution"] % 2:
            raise UserError(
                f"resolution={block['resolution']} is odd, so squares of four tokens would not "
                "cover the map; use an even one."
            )
        return cls(block["embed"], block["out_channels"], block["resolution"])

    def forward(self, x: Tensor) -> Tensor:
        batch, _, embed = x.shape
        # One transposition: (row, row in square, column, column in square) with the two inside the
        # square behind.
        x = x.reshape(batch * self.across, 2, self.across, 2, embed).permute(0, 2, 3, 1, 4)
        return self.reduction(self.norm(x.reshape(batch, self.across**2, 4 * embed)))
