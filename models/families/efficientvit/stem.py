"""From an image to the first map of EfficientViT: overlapping patch embedding."""

from __future__ import annotations

from torch import Tensor, nn

from ....errors import UserError
from ...block import Block
from .norm import activation, conv_norm

_STRIDE = 16


class ConvStem(nn.Module):
    """The op `conv_stem`: four 3x3 convolutions of stride 2, an activation between each two.

    (batch, in_channels, R, R) to (batch, embed, R/16, R/16), by way of embed/8, embed/4, embed/2.
    """

    def __init__(self, in_channels: int, embed: int, act: int, norm: int) -> None:
        super().__init__()
        self.conv1 = conv_norm(in_channels, embed // 8, 3, 2, norm=norm)
        self.conv2 = conv_norm(embed // 8, embed // 4, 3, 2, norm=norm)
        self.conv3 = conv_norm(embed // 4, embed // 2, 3, 2, norm=norm)
        self.conv4 = conv_norm(embed // 2, embed, 3, 2, norm=norm)
        self.act = activation(act)

    @classmethod
    def of(cls, block: Block) -> ConvStem:
        """Return the module of `block` with initial weights.

        Raises UserError for an embed that 8 does not divide and a resolution that 16 does not.
        """
        for axis, divisor in (("embed", 8), ("resolution", _STRIDE)):
            if block[axis] % divisor:
                raise UserError(
                    f"{axis}={block[axis]} of a conv_stem must be a multiple of {divisor}; "
                    "change it."
                )
        return cls(block["in_channels"], block["embed"], block["activation"], block["norm"])

    def forward(self, images: Tensor) -> Tensor:
        x = self.act(self.conv1(images))
        x = self.act(self.conv2(x))
        x = self.act(self.conv3(x))
        return self.conv4(x)
