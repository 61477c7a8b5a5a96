"""The whole Vision Transformer: the chain of its blocks, under timm's parameter names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn

from ..vit import ViTSpec
from . import initial
from .attention import AttentionBlock
from .classifier import ClassifierBlock, logits_of_heads, mean_logits
from .mlp import MlpBlock
from .patch_embed import PatchEmbedBlock, embed_patches
from .residual import residual


class TransformerLayer(nn.Module):
    """Attention, then MLP, either of which may be absent; (batch, tokens, embed) in and out."""

    def __init__(self, attention: AttentionBlock | None, mlp: MlpBlock | None) -> None:
        super().__init__()
        self.norm1 = attention.norm1 if attention is not None else None
        self.attn = attention.attn if attention is not None else None
        self.norm2 = mlp.norm2 if mlp is not None else None
        self.mlp = mlp.mlp if mlp is not None else None

    def forward(self, x: Tensor) -> Tensor:
        if self.norm1 is not None and self.attn is not None:
            x = residual(x, self.norm1, self.attn)
        if self.norm2 is not None and self.mlp is not None:
            x = residual(x, self.norm2, self.mlp)
        return x

    def chain(self) -> list[nn.Module]:
        """Return the present halves as modules that share this layer's weights."""
        halves: list[nn.Module] = []
        if self.norm1 is not None and self.attn is not None:
            halves.append(AttentionBlock(self.norm1, self.attn))
        if self.norm2 is not None and self.mlp is not None:
            halves.append(MlpBlock(self.norm2, self.mlp))
        return halves


class VisionTransformer(nn.Module):
    """The model of a ViTSpec: images (batch, in_channels, R, R) → logits (batch, classes).

    With two classification heads the logits are the mean of both; `forward_heads` gives each.
    `spec` is the given one with `norm_eps` filled in (1e-6 where it was None).
    """

    def __init__(self, spec: ViTSpec) -> None:
        super().__init__()
        eps = initial.DEFAULT_NORM_EPS if spec.norm_eps is None else spec.norm_eps
        self.spec = dataclasses.replace(spec, norm_eps=eps)

        stem = PatchEmbedBlock.of(spec.patch_embed_block())
        self.cls_token = stem.cls_token
        self.dist_token = stem.dist_token
        self.pos_embed = stem.pos_embed
        self.patch_embed = stem.patch_embed

        layers = []
        for layer in spec.layers:
            attention, mlp = spec.attention_block(layer), spec.mlp_block(layer)
            layers.append(
                TransformerLayer(
                    AttentionBlock.of(attention, eps, spec.attention_scale_dim)
                    if attention
                    else None,
                    MlpBlock.of(mlp, eps) if mlp else None,
                )
            )
        self.blocks = nn.ModuleList(layers)

        classifier = ClassifierBlock.of(spec.classifier_block(), eps)
        self.norm = classifier.norm
        self.head = classifier.head
        self.head_dist = classifier.head_dist

    def forward_heads(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return each classification head's logits, (batch, classes): the class token's first."""
        x = embed_patches(images, self.patch_embed, self.cls_token, self.dist_token, self.pos_embed)
        for layer in self.blocks:
            x = layer(x)
        return logits_of_heads(x, self.norm, self.head, self.head_dist)

    def forward(self, images: Tensor) -> Tensor:
        return mean_logits(self.forward_heads(images))

    def chain(self) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another is running the model.
        """
        stem = PatchEmbedBlock(self.patch_embed, self.cls_token, self.dist_token, self.pos_embed)
        layers = cast(Iterable[TransformerLayer], self.blocks)
        halves = [half for layer in layers for half in layer.chain()]
        modules = [stem, *halves, ClassifierBlock(self.norm, self.head, self.head_dist)]
        return [module.train(self.training) for module in modules]
