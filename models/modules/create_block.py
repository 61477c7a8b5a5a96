"""The torch module of any block."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ...errors import UserError
from ..block import Block
from ..families.registry import families
from ..ops import find_op


def create_block(block: Block) -> nn.Module:
    """Return the module of `block` in eval mode, its weights drawn from torch's global generator.

    It maps (batch, *block.input_shape) to (batch, *block.output_shape), holds block.params
    weights, and computes what the whole model computes there. Raises UserError for an op that only
    imported tables have.
    """
    find_op(block.op)
    for family in families():
        makers: dict[str, Callable[[Block], nn.Module]] = family.load("blocks")
        if block.op in makers:
            return makers[block.op](block).eval()
    raise UserError(f"a block of op '{block.op}' is another tool's, and has no torch module here.")
