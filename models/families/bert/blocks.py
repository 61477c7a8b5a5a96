"""The torch modules of BERT's own blocks; attention and MLP are a ViT's."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...block import Block
from .model import TextClassifier, TextEmbedding

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "text_classifier": TextClassifier.of,
    "text_embedding": TextEmbedding.of,
}
