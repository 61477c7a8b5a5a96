"""An AutoViT without weights, put together of blocks that are kept."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from ...block import Block
from ...skeleton import KEPT_LAYERS
from .blocks import BLOCKS
from .spec import AutoViTSpec


def autovit_skeleton(spec: AutoViTSpec) -> nn.Module:
    """Return the model on the meta device."""
    return _Chain([_block(index, block) for index, block in enumerate(spec.blocks())])


class _Chain(nn.Module):
    """Blocks that run one after another, called `blocks.N` as an AutoViT's."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(images)


# Two equal blocks of a model are two modules: each gets tensors of its own. So there is `index`.
@functools.lru_cache(maxsize=KEPT_LAYERS)
def _block(index: int, block: Block) -> nn.Module:
    with torch.device("meta"):
        return BLOCKS[block.op](block).eval()
