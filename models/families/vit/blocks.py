"""The torch modules of a plain Vision Transformer's blocks."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...block import Block
from ...modules.attention import AttentionBlock
from ...modules.bipartite_merging import BipartiteMergingBlock
from ...modules.classifier import ClassifierBlock
from ...modules.merging_layer import ProportionalAttentionBlock
from ...modules.mlp import MlpBlock
from ...modules.patch_embed import PatchEmbedBlock

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "attention": AttentionBlock.of,
    "bipartite_merging": BipartiteMergingBlock.of,
    "classifier": ClassifierBlock.of,
    "mlp": MlpBlock.of,
    "patch_embed": PatchEmbedBlock.of,
    "proportional_attention": ProportionalAttentionBlock.of,
}
