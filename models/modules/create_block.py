"""The torch module of any block."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..block import Block
from .attention import AttentionBlock
from .classifier import ClassifierBlock
from .mlp import MlpBlock
from .patch_embed import PatchEmbedBlock

_MODULES: dict[str, Callable[[Block], nn.Module]] = {
    "attention": AttentionBlock.of,
    "classifier": ClassifierBlock.of,
    "mlp": MlpBlock.of,
    "patch_embed": PatchEmbedBlock.of,
}


def create_block(block: Block) -> nn.Module:
    """Return the module of `block` in eval mode, its weights drawn from torch's global generator.

    It maps (batch, *block.input_shape) to (batch, *block.output_shape), holds block.params
    weights, and computes what the whole model computes there.
    """
    return _MODULES[block.definition.name](block).eval()
