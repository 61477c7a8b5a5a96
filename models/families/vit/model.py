"""The whole Vision Transformer: the chain of its blocks, under timm's parameter names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn

from ....errors import UserError
from ...modules import initial
from ...modules.attention import AttentionBlock
from ...modules.classifier import ClassifierBlock, logits_of_heads, mean_logits
from ...modules.merging_layer import MergingLayer, State
from ...modules.mlp import MlpBlock
from ...modules.patch_embed import PatchEmbedBlock, embed_patches
from ...modules.spec_model import SpecModel
from ...modules.vision_transformer_layer import TransformerLayer
from .spec import ViTSpec


class VisionTransformer(SpecModel):
    """The model of a ViTSpec: images (batch, in_channels, R, R) → logits (batch, classes).

    With two classification heads the logits are the mean of both; `forward_heads` gives each.
    `spec` is the given one with `norm_eps` filled in (1e-6 where it was None).
    """

    spec: ViTSpec

    def __init__(self, spec: ViTSpec) -> None:
        eps = initial.DEFAULT_NORM_EPS if spec.norm_eps is None else spec.norm_eps
        super().__init__(dataclasses.replace(spec, norm_eps=eps))

        stem = PatchEmbedBlock.of(spec.patch_embed_block())
        self.cls_token = stem.cls_token
        self.dist_token = stem.dist_token
        self.pos_embed = stem.pos_embed
        self.patch_embed = stem.patch_embed

        layers: list[TransformerLayer] = []
        for layer, merged in zip(spec.layers, spec.merges, strict=True):
            attention, mlp = spec.attention_block(layer), spec.mlp_block(layer)
            halves = (
                AttentionBlock.of(attention, eps, spec.attention_scale_dim) if attention else None,
                MlpBlock.of(mlp, eps) if mlp else None,
            )
            # Where nothing merges anywhere, layers have no sizes to pass on.
            layers.append(
                MergingLayer(*halves, merged, spec.prefix)
                if any(spec.merges)
                else TransformerLayer(*halves)
            )
        self.blocks = nn.ModuleList(layers)

        classifier = ClassifierBlock.of(spec.classifier_block(), eps)
        self.norm = classifier.norm
        self.head = classifier.head
        self.head_dist = classifier.head_dist

    def forward_heads(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return each classification head's logits, (batch, classes): the class token's first."""
        x = embed_patches(images, self.patch_embed, self.cls_token, self.dist_token, self.pos_embed)
        x = self.after_layers(x)
        return logits_of_heads(x, self.norm, self.head, self.head_dist)

    def after_layers(self, x: Tensor) -> Tensor:
        """Return the sequence after all layers, (batch, tokens, embed)."""
        state: State = (x, None)
        for layer in self.blocks:
            if isinstance(layer, MergingLayer):
                state = layer.forward_state(state)
            else:
                state = (layer(state[0]), None)
        return state[0]

    def forward(self, images: Tensor) -> Tensor:
        return mean_logits(self.forward_heads(images))

    def chain(self) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another is running the model. Raises UserError for a model that
        merges tokens, whose layers pass more on than a sequence.
        """
        if any(self.spec.merges):
            raise UserError(f"{self.spec.name} merges tokens, so that its layers are no chain.")
        stem = PatchEmbedBlock(self.patch_embed, self.cls_token, self.dist_token, self.pos_embed)
        layers = cast(Iterable[TransformerLayer], self.blocks)
        halves = [half for layer in layers for half in layer.chain()]
        modules = [stem, *halves, ClassifierBlock(self.norm, self.head, self.head_dist)]
        return [module.train(self.training) for module in modules]
