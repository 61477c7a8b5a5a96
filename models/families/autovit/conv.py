"""AutoViT's convolutions: with batch norm and activation, and MobileNetV2's inverted bottleneck."""

from __future__ import annotations

from torch import Tensor, nn

from ....errors import UserError
from ...block import Block
from ...checks import check_whole_number
from ...modules.conv_norm import ConvNorm
from ...ops.codes import ACTIVATIONS, choice
from .stages import check_kernel

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "hardswish": nn.Hardswish,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def activation_of(block: Block) -> nn.Module:
    """Return the activation that a block's dim stands for; raises UserError for none."""
    return _ACTIVATIONS[choice(ACTIVATIONS, block["activation"], "activation")]()


def check_convolution(block: Block, smallest: int) -> None:
    """Raise UserError for an even kernel and one larger than the smallest map it runs on."""
    check_kernel("kernel", block["kernel"])
    if block["kernel"] > smallest:
        raise UserError(
            f"kernel={block['kernel']} of op '{block.op}' is larger than its map of "
            f"{smallest}×{smallest}; use a smaller kernel or a larger resolution."
        )


class ConvNormAct(nn.Module):
    """A padded k×k convolution, batch norm, activation; (batch, in, R, R) to (batch, out, r, r)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        activation: nn.Module,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = ConvNorm(in_channels, out_channels, kernel, stride, kernel // 2, groups)
        self.act = activation

    @classmethod
    def of(cls, block: Block) -> ConvNormAct:
        """Return the module of a block of op `conv`; UserError for dims it cannot have."""
        check_whole_number("stride", block["stride"], 1, 2)
        check_convolution(block, block["resolution"])
        return cls(
            block["in_channels"],
            block["out_channels"],
            block["kernel"],
            activation_of(block),
            block["stride"],
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x))


class MBConv(nn.Module):
    """The inverted bottleneck of Sandler et al. 2018, section 3.3 and table 1.

    1×1 to `expansion` times the channels (absent where that is 1), k×k depthwise with the stride,
    1×1 without activation; the input is added where the shapes agree.
    (batch, in, R, R) to (batch, out, r, r).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expansion: int,
        kernel: int,
        stride: int,
        activation: nn.Module,
    ) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.expand = ConvNormAct(in_channels, hidden, 1, activation) if expansion > 1 else None
        self.depthwise = ConvNormAct(hidden, hidden, kernel, activation, stride, groups=hidden)
        self.project = ConvNorm(hidden, out_channels)
        self.has_residual = stride == 1 and in_channels == out_channels

    @classmethod
    def of(cls, block: Block) -> MBConv:
        """Return the module of a block of op `mbconv`; UserError for dims it cannot have."""
        check_whole_number("stride", block["stride"], 1, 2)
        check_convolution(block, block["resolution"])
        return cls(
            block["in_channels"],
            block["out_channels"],
            block["expansion"],
            block["kernel"],
            block["stride"],
            activation_of(block),
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = x if self.expand is None else self.expand(x)
        result = self.project(self.depthwise(hidden))
        return x + result if self.has_residual else result
