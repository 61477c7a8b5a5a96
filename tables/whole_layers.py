"""Attention and MLP as one block, for tables that hold whole layers (NViT's)."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import Block

# NViT's table says so of a layer without MLP.
NO_MLP = 1


def as_whole_layers(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with every attention, and the MLP right behind it, as one `layer`.

    An attention without MLP is a layer of mlp NO_MLP; an MLP without attention stays an MLP.
    """
    found: list[Block] = []
    waiting: Block | None = None  # an attention whose MLP may come next
    for block in blocks:
        if waiting is not None:
            mlp = block["mlp"] if block.op == "mlp" else NO_MLP
            found.append(Block.of("layer", **waiting.as_dict(), mlp=mlp))
            joined, waiting = block.op == "mlp", None
            if joined:
                continue
        if block.op == "attention":
            waiting = block
        else:
            found.append(block)
    if waiting is not None:
        found.append(Block.of("layer", **waiting.as_dict(), mlp=NO_MLP))
    return found
