"""From one stage of EfficientViT to the next: an inverted residual without the residual."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ...block import Block
from .norm import activation, conv_norm

_EXPANSION = 4
_REDUCTION = 4


class SqueezeExcite(nn.Module):
    """Each channel times a gate computed from the means of all; (batch, channels, R, R)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // _REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // _REDUCTION, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = F.adaptive_avg_pool2d(x, 1)
        return x * self.fc2(F.relu(self.fc1(means))).sigmoid()


class PatchMerging(nn.Module):
    """The op `patch_merging`: 1x1 to four times the width, 3x3 of stride 2, gates, 1x1.

    (batch, in_channels, R, R) to (batch, out_channels, r, r), r = R/2 rounded up.
    """

    def __init__(self, in_channels: int, out_channels: int, act: int, norm: int) -> None:
        super().__init__()
        hidden = _EXPANSION * in_channels
        self.conv1 = conv_norm(in_channels, hidden, norm=norm)
        self.conv2 = conv_norm(hidden, hidden, 3, 2, groups=hidden, norm=norm)
        self.se = SqueezeExcite(hidden)
        self.conv3 = conv_norm(hidden, out_channels, norm=norm)
        self.act = activation(act)

    @classmethod
    def of(cls, block: Block) -> PatchMerging:
        """Return the module of `block` with initial weights."""
        return cls(block["in_channels"], block["out_channels"], block["activation"], block["norm"])

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv1(x))
        x = self.act(self.conv2(x))
        return self.conv3(self.se(x))
