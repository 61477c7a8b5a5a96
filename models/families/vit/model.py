"""The whole Vision Transformer: the chain of its blocks, under timm's parameter names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn

from ....errors import UserError
from ...modules import initial
from ...modules.attention import AttentionBlock
from ...modules.classifier import (
    ClassifierBlock,
    DetailedClassifier,
    logits_of_heads,
    mean_logits,
    pooled,
)
from ...modules.merging_layer import MergingLayer, State
from ...modules.mlp import MlpBlock
from ...modules.patch_embed import (
    DetailedPatchEmbed,
    PatchEmbedBlock,
    embed_patches,
    embed_with_prefix,
)
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

        details = spec.details
        stem = _stem(spec, eps)
        self.cls_token = stem.cls_token
        self.dist_token = stem.dist_token
        self._plain_start = isinstance(stem, PatchEmbedBlock)
        self.reg_token = None if isinstance(stem, PatchEmbedBlock) else stem.reg_token
        self.norm_pre = None if isinstance(stem, PatchEmbedBlock) else stem.norm_pre
        self.pos_embed = stem.pos_embed
        self.patch_embed = stem.patch_embed

        layers: list[TransformerLayer] = []
        for layer, merged in zip(spec.layers, spec.merges, strict=True):
            attention, mlp = spec.attention_block(layer), spec.mlp_block(layer)
            halves = (
                AttentionBlock.detailed(
                    attention, eps, spec.attention_scale_dim, details.qkv_bias, details.layer_scale
                )
                if attention
                else None,
                MlpBlock.of(mlp, eps, details.layer_scale) if mlp else None,
            )
            # Where nothing merges anywhere, layers have no sizes to pass on.
            layers.append(
                MergingLayer(*halves, merged, spec.prefix)
                if any(spec.merges)
                else TransformerLayer(*halves)
            )
        self.blocks = nn.ModuleList(layers)

        classifier = _classifier(spec, eps)
        self.norm = classifier.norm
        self.head = classifier.head
        self._plain_end = isinstance(classifier, ClassifierBlock)
        self.head_dist = classifier.head_dist if isinstance(classifier, ClassifierBlock) else None
        self.fc_norm = None if isinstance(classifier, ClassifierBlock) else classifier.fc_norm

    def forward_heads(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return each classification head's logits, (batch, classes): the class token's first."""
        x = self.after_layers(self._embedded(images))
        if self._plain_end:
            assert self.norm is not None and self.head is not None
            return logits_of_heads(x, self.norm, self.head, self.head_dist)
        vector = pooled(x, self.spec.details.pool, self.spec.prefix, self.norm, self.fc_norm)
        return (vector if self.head is None else self.head(vector),)

    def _embedded(self, images: Tensor) -> Tensor:
        if not self._plain_start:
            tokens = (self.cls_token, self.dist_token, self.reg_token)
            return embed_with_prefix(
                images, self.patch_embed, tokens, self.pos_embed, self.norm_pre
            )
        assert self.cls_token is not None
        return embed_patches(
            images, self.patch_embed, self.cls_token, self.dist_token, self.pos_embed
        )

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
            raise UserError(f"{self.spec.name} merges tokens, so that its layers are not a chain.")
        layers = cast(Iterable[TransformerLayer], self.blocks)
        halves = [half for layer in layers for half in layer.chain()]
        modules = [self._start(), *halves, self._end()]
        return [module.train(self.training) for module in modules]

    def _start(self) -> nn.Module:
        if not self._plain_start:
            tokens = (self.cls_token, self.dist_token, self.reg_token)
            return DetailedPatchEmbed(self.patch_embed, tokens, self.pos_embed, self.norm_pre)
        assert self.cls_token is not None
        return PatchEmbedBlock(self.patch_embed, self.cls_token, self.dist_token, self.pos_embed)

    def _end(self) -> nn.Module:
        if not self._plain_end:
            pool, prefix = self.spec.details.pool, self.spec.prefix
            return DetailedClassifier(pool, prefix, self.norm, self.fc_norm, self.head)
        assert self.norm is not None and self.head is not None
        return ClassifierBlock(self.norm, self.head, self.head_dist)


def _stem(spec: ViTSpec, eps: float) -> PatchEmbedBlock | DetailedPatchEmbed:
    block, details = spec.patch_embed_block(), spec.details
    is_plain = details.class_token and not details.registers
    if is_plain and details.prefix_positions and not details.pre_norm:
        return PatchEmbedBlock.of(block)
    tokens = (int(details.class_token), int(spec.distilled), details.registers)
    norm_eps = eps if details.pre_norm else None
    return DetailedPatchEmbed.of(block, tokens, details.prefix_positions, norm_eps)


def _classifier(spec: ViTSpec, eps: float) -> ClassifierBlock | DetailedClassifier:
    block, details = spec.classifier_block(), spec.details
    if block.op == "classifier" and details.final_norm == "tokens":
        return ClassifierBlock.of(block, eps)
    return DetailedClassifier.of(block, spec.prefix, details.final_norm, eps)
