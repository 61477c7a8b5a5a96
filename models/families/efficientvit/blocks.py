"""The torch modules of EfficientViT's blocks."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...block import Block
from .classifier import PooledClassifier
from .merging import PatchMerging
from .residual import TokenInteraction, feed_forward_block
from .stem import ConvStem
from .windows import attention_block

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "cga": attention_block,
    "conv_stem": ConvStem.of,
    "dwconv": TokenInteraction.of,
    "ffn": feed_forward_block,
    "patch_merging": PatchMerging.of,
    "pooled_classifier": PooledClassifier.of,
}
