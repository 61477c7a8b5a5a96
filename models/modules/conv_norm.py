"""A convolution and its batch norm: one convolution once folded."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """Convolution without bias, then batch norm; (batch, in, H, W) to (batch, out, H', W').

    The parts are called `conv` and `bn`, as in timm's EfficientViT. `norm_weight` is
    the batch norm's initial weight: 0 for the last layer of a residual branch.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        norm_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels)
        nn.init.constant_(self.bn.weight, norm_weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))

    def folded(self) -> nn.Conv2d:
        """Return the one convolution that gives the same in eval mode.

        w' = w * g / sqrt(var + eps), b' = b - mean * g / sqrt(var + eps), computed in fp64.
        """
        weight, bias = folded_batch_norm(self.conv.weight, None, self.bn)
        conv = self.conv
        folded = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            groups=conv.groups,
            device=weight.device,
            dtype=weight.dtype,
        )
        folded.weight = nn.Parameter(weight)
        folded.bias = nn.Parameter(bias)
        return folded


def folded_batch_norm(
    weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d | nn.BatchNorm1d
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution or linear layer that does its batch norm too.

    `weight` is (out, ...); the norm comes after it. Eval mode.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("only a batch norm with running statistics can be folded")
    with torch.no_grad():
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        start = 0.0 if bias is None else bias.double()
        shift = norm.bias.double() + (start - norm.running_mean.double()) * scale
        shape = (-1, *[1] * (weight.dim() - 1))
        folded = weight.double() * scale.reshape(shape)
        return folded.to(weight.dtype), shift.to(weight.dtype)
