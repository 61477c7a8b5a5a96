"""The blocks and whole models as torch modules; parameter names are timm's."""

from __future__ import annotations

from ..families.vit.model import TransformerLayer, VisionTransformer
from .attention import Attention, AttentionBlock
from .classifier import ClassifierBlock
from .create_block import create_block
from .mlp import Mlp, MlpBlock
from .patch_embed import PatchEmbed, PatchEmbedBlock

__all__ = [
    "Attention",
    "AttentionBlock",
    "ClassifierBlock",
    "Mlp",
    "MlpBlock",
    "PatchEmbed",
    "PatchEmbedBlock",
    "TransformerLayer",
    "VisionTransformer",
    "create_block",
]
