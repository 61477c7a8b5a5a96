"""The torch modules of a VGG's blocks."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...block import Block
from .model import AveragePool, ConvNormRelu, DenseRelu, classifier_of

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "average_pool": AveragePool.of,
    "conv_norm_relu": ConvNormRelu.of,
    "dense_classifier": classifier_of,
    "dense_relu": DenseRelu.of,
}
