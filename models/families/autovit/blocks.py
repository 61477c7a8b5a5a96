"""The torch modules of AutoViT's blocks."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...block import Block
from .conv import ConvNormAct, MBConv
from .head import MBPool, linear_classifier
from .hybrid import HybridBlock

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "conv": ConvNormAct.of,
    "linear_classifier": linear_classifier,
    "mbconv": MBConv.of,
    "mbpool": MBPool.of,
    "mobilevit": HybridBlock.of,
}
