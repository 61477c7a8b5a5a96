"""The torch modules of a plain Vision Transformer's blocks."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...block import Block
from ...modules.attention import AttentionBlock
from ...modules.bipartite_merging import BipartiteMergingBlock
from ...modules.classifier import ClassifierBlock, DetailedClassifier
from ...modules.merging_layer import ProportionalAttentionBlock
from ...modules.mlp import MlpBlock
from ...modules.patch_embed import DetailedPatchEmbed, PatchEmbedBlock

BLOCKS: dict[str, Callable[[Block], nn.Module]] = {
    "attention": AttentionBlock.of,
    "bipartite_merging": BipartiteMergingBlock.of,
    "classifier": ClassifierBlock.of,
    "features": DetailedClassifier.of,
    "mean_features": DetailedClassifier.of,
    "mlp": MlpBlock.of,
    "mlp_gelu_tanh": MlpBlock.of,
    "mlp_quick_gelu": MlpBlock.of,
    "normed_attention": AttentionBlock.of,
    "patch_embed": PatchEmbedBlock.of,
    "prefixless_patch_embed": DetailedPatchEmbed.of,
    "proportional_attention": ProportionalAttentionBlock.of,
    "swiglu_mlp": MlpBlock.of,
}
