"""The whole Swin Transformer: the chain of its blocks, under timm's parameter names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn

from ...modules.mlp import MlpBlock
from ...modules.spec_model import SpecModel
from ...modules.vision_transformer_layer import TransformerLayer
from .attention import WindowAttentionBlock
from .classifier import PooledTokensClassifier
from .embed import SwinEmbed
from .merging import TokenMerging
from .spec import SwinSpec


class Stage(nn.Module):
    """Merging (absent in the first stage), then layers; (batch, tokens, embed) in and out."""

    def __init__(self, downsample: TokenMerging | None, layers: list[TransformerLayer]) -> None:
        super().__init__()
        self.downsample = downsample
        self.blocks = nn.ModuleList(layers)

    @classmethod
    def of(cls, spec: SwinSpec, stage: int) -> Stage:
        """Return the stage of `spec` with this number, with initial weights."""
        merging = spec.merging_block(stage)
        layers = []
        for layer in range(len(spec.stages[stage].layers)):
            attention, mlp = spec.attention_block(stage, layer), spec.mlp_block(stage, layer)
            layers.append(
                TransformerLayer(
                    WindowAttentionBlock.of(attention, spec.norm_eps, spec.attention_scale_dim)
                    if attention
                    else None,
                    MlpBlock.of(mlp, spec.norm_eps) if mlp else None,
                )
            )
        return cls(TokenMerging.of(merging) if merging else None, layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.downsample is not None:
            x = self.downsample(x)
        for layer in self.blocks:
            x = layer(x)
        return x

    def chain(self) -> list[nn.Module]:
        """Return merging and halves, where present, as modules that share this stage's weights."""
        layers = cast(Iterable[TransformerLayer], self.blocks)
        halves = [half for layer in layers for half in layer.chain()]
        return halves if self.downsample is None else [self.downsample, *halves]


class SwinTransformer(SpecModel):
    """The model of a SwinSpec: images (batch, in_channels, R, R) → logits (batch, classes).

    Without classes: → the last stage's tokens (batch, tokens, embed).
    """

    spec: SwinSpec

    def __init__(self, spec: SwinSpec) -> None:
        super().__init__(spec)
        self.patch_embed = SwinEmbed.of(spec.embed_block())
        self.layers = nn.ModuleList(Stage.of(spec, stage) for stage in range(len(spec.stages)))
        block = spec.classifier_block()
        classifier = PooledTokensClassifier.of(block, spec.norm_eps) if block else None
        self.norm = classifier.norm if classifier else None
        self.head = classifier.head if classifier else None

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images)
        for stage in self.layers:
            x = stage(x)
        if self.norm is None or self.head is None:
            return x
        return self.head(self.norm(x).mean(dim=1))

    def chain(self) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another is running the model.
        """
        stages = cast(Iterable[Stage], self.layers)
        inner = [module for stage in stages for module in stage.chain()]
        modules = [self.patch_embed, *inner]
        if self.norm is not None and self.head is not None:
            modules.append(PooledTokensClassifier(self.norm, self.head))
        return [module.train(self.training) for module in modules]
