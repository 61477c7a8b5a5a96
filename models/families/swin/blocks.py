"""The torch modules of the blocks that only a Swin Transformer has."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...block import Block
from .attention import WindowAttentionBlock
from .classifier import PooledTokensClassifier
from .embed import SwinEmbed
from .merging import TokenMerging

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "pooled_tokens_classifier": PooledTokensClassifier.of,
    "swin_embed": SwinEmbed.of,
    "token_merging": TokenMerging.of,
    "window_attention": WindowAttentionBlock.of,
}
