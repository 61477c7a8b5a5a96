"""The whole EfficientViT: the chain of its blocks, under timm's parameter names."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from ...block import Block
from ...modules.spec_model import SpecModel
from .blocks import BLOCKS
from .norm import last_affine
from .residual import FeedForward, Residual
from .spec import EfficientViTSpec, EfficientViTStage
from .windows import WindowAttention


class EfficientViT(SpecModel):
    """The model of an EfficientViTSpec: images (batch, in_channels, R, R) → logits.

    The logits are (batch, classes). Each residual layer begins as the identity, as is usual: the
    last norm's weight of its branch is 0.
    """

    spec: EfficientViTSpec

    def __init__(self, spec: EfficientViTSpec) -> None:
        super().__init__(spec)
        self.patch_embed = _module(spec.stem_block())
        stages = []
        before: tuple[int, int] | None = None
        for stage, side, qk in zip(spec.stages, spec.sides, spec.qks, strict=True):
            stages.append(_stage(spec, stage, side, qk, before))
            before = (stage.embed, side)
        self.stages = nn.Sequential(*stages)
        self.head = _module(spec.classifier_block())
        for module in self.stages.modules():
            if isinstance(module, Residual):
                _begin_as_identity(module)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.patch_embed(images)))

    def chain(self) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another is running the model.
        """
        within = [part for part in _flat(self.stages) if not isinstance(part, nn.Identity)]
        return [self.patch_embed, *within, self.head]


def _module(block: Block) -> nn.Module:
    return BLOCKS[block.op](block)


def _ffns(spec: EfficientViTSpec, embed: int, side: int, names: tuple[str, str]) -> _Named:
    """Return token interaction, where there is one, and FFN, under these names."""
    modules = [_module(block) for block in spec.ffn_blocks(embed, side)]
    return list(zip(names[-len(modules) :], modules, strict=True))


_Named = list[tuple[str, nn.Module]]


def _layer(spec: EfficientViTSpec, stage: EfficientViTStage, side: int, qk: int) -> nn.Sequential:
    """Return one layer; timm's names are those of N = 1, further FFNs are `dw0_1`, `ffn0_1`, ..."""

    def ffns(place: int, count: int) -> _Named:
        suffixes = [f"{place}" if again == 0 else f"{place}_{again}" for again in range(count)]
        named = [_ffns(spec, stage.embed, side, (f"dw{s}", f"ffn{s}")) for s in suffixes]
        return [pair for pairs in named for pair in pairs]

    mixer = ("mixer", _module(spec.attention_block(stage, side, qk)))
    parts = [*ffns(0, spec.ffns_before), mixer, *ffns(1, spec.ffns_after)]
    return nn.Sequential(OrderedDict(parts))


def _stage(
    spec: EfficientViTSpec,
    stage: EfficientViTStage,
    side: int,
    qk: int,
    before: tuple[int, int] | None,
) -> nn.Sequential:
    downsample: nn.Module = nn.Identity()
    if before is not None:
        merging = _module(spec.merging_block(before[0], stage.embed, before[1]))
        downsample = nn.Sequential(
            OrderedDict(
                res1=nn.Sequential(OrderedDict(_ffns(spec, *before, ("0", "1")))),
                patchmerge=merging,
                res2=nn.Sequential(OrderedDict(_ffns(spec, stage.embed, side, ("0", "1")))),
            )
        )
    layers = nn.Sequential(*(_layer(spec, stage, side, qk) for _ in range(stage.depth)))
    return nn.Sequential(OrderedDict(downsample=downsample, blocks=layers))


def _flat(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.Sequential):
        return [part for child in module for part in _flat(child)]
    return [module]


def _begin_as_identity(residual: Residual) -> None:
    branch = residual.m
    if isinstance(branch, FeedForward):
        last: nn.Module = branch.pw2
    elif isinstance(branch, WindowAttention):
        last = branch.attn.proj[1]
    else:
        last = branch
    nn.init.zeros_(last_affine(last).get_parameter("weight"))
