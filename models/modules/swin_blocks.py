"""The torch modules of the blocks that only a Swin Transformer has."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..block import Block
from .swin_attention import WindowAttentionBlock
from .swin_classifier import PooledTokensClassifier
from .swin_embed import SwinEmbed
from .swin_merging import TokenMerging

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "pooled_tokens_classifier": PooledTokensClassifier.of,
    "swin_embed": SwinEmbed.of,
    "token_merging": TokenMerging.of,
    "window_attention": WindowAttentionBlock.of,
}
