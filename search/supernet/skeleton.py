"""Models without weights, put together quickly: a new subnet is run in every step of training.

On the meta device a layer still takes a millisecond to make; there are few different ones.
"""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor, nn

from ...models import Block, Spec, ViTLayer, create_block, create_model
from ...models.families.autovit.spec import AutoViTSpec
from ...models.families.vit.spec import ViTSpec

# Layers hold no weights, only what they are.
KEPT_LAYERS = 4096


def skeleton(spec: Spec) -> nn.Module:
    """Return what runs as `create_model(spec)` once its tensors are given (`functional_call`).

    Its tensors have that model's names and are on the meta device. Skeletons share layers, so that
    one's mode (train or eval) has to be set each time it runs.
    """
    if isinstance(spec, ViTSpec) and not any(spec.merges):
        with torch.device("meta"):
            model = create_model(dataclasses.replace(spec, layers=spec.layers[:1]))
        model.blocks = nn.ModuleList(
            _vit_layer(index, layer, spec.embed, spec.attention_scale_dim, spec.norm_eps)
            for index, layer in enumerate(spec.layers)
        )
        return model
    if isinstance(spec, AutoViTSpec):
        return _Chain([_block(index, block) for index, block in enumerate(spec.blocks())])
    with torch.device("meta"):
        return create_model(spec)


class _Chain(nn.Module):
    """Blocks that run one after another, called `blocks.N` as an AutoViT's."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(images)


# Two equal layers of a model are two modules: each gets tensors of its own. Hence `index`.
@functools.lru_cache(maxsize=KEPT_LAYERS)
def _vit_layer(
    index: int, layer: ViTLayer, embed: int, scale_dim: int | None, norm_eps: float | None
) -> nn.Module:
    spec = ViTSpec(
        embed=embed, layers=(layer,), attention_scale_dim=scale_dim, norm_eps=norm_eps,
        resolution=1, patch=1, classes=1,
    )  # fmt: skip
    with torch.device("meta"):
        blocks = create_model(spec).blocks
    assert isinstance(blocks, nn.ModuleList)
    return blocks[0]


@functools.lru_cache(maxsize=KEPT_LAYERS)
def _block(index: int, block: Block) -> nn.Module:
    with torch.device("meta"):
        return create_block(block)
