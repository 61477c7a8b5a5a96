"""The choices of EfficientViT: batch or layer norm after a convolution, and the activation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...modules import initial
from ...modules.conv_norm import ConvNorm
from ...ops.codes import ACTIVATIONS, NORMS, choice

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "hardswish": nn.Hardswish,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


class ConvLayerNorm(nn.Module):
    """Convolution without bias, then layer norm over the channels of each token; as ConvNorm."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False
        )
        self.norm = nn.LayerNorm(out_channels, eps=initial.DEFAULT_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    *,
    norm: int,
) -> ConvNorm | ConvLayerNorm:
    """Return a convolution that keeps the map's side (at stride 1) and the norm of this code."""
    kind = ConvNorm if choice(NORMS, norm, "norm") == "batch" else ConvLayerNorm
    return kind(in_channels, out_channels, kernel, stride, kernel // 2, groups)


def activation(code: int) -> nn.Module:
    """Return the activation of this code."""
    return _ACTIVATIONS[choice(ACTIVATIONS, code, "activation")]()


def last_affine(part: nn.Module) -> nn.Module:
    """Return what comes last in a convolution with its norm, folded or not.

    Its weight and bias have one entry, or one row, a channel.
    """
    if isinstance(part, ConvNorm):
        return part.bn
    return part.norm if isinstance(part, ConvLayerNorm) else part


def scale_channels(part: nn.Module, channels: int, factor: float) -> None:
    """Multiply the first output channels of a convolution with its norm by `factor`, in place."""
    with torch.no_grad():
        for values in last_affine(part).parameters():
            values[:channels] *= factor
