"""How much memory a block or a model needs while it runs; torch is imported when asked."""

from __future__ import annotations

import functools

from .block import Block
from .checks import check_whole_number
from .spec import Spec

LARGEST_BATCH = 1_000_000


def activation_bytes(block: Block, batch: int = 1, bytes_per_value: int = 4) -> int:
    """Return the most bytes alive at once while the block runs, its input included, no weights.

    This is what PyTorch holds when it computes the block op by op, in eval mode, without
    gradients: what an op reads is there until it is done, and so is what it writes. A runtime
    that fuses ops or computes in place needs less; what an op takes for itself while it runs (a
    convolution's workspace) is not counted, nor is what an allocator rounds up. `bytes_per_value`
    is that of a floating-point number. Nothing is computed: shapes alone are followed.

    Raises UserError for a batch or bytes_per_value below 1, and a block that has no module.
    """
    check_whole_number("batch", batch, 1, LARGEST_BATCH)
    check_whole_number("bytes_per_value", bytes_per_value, 1, 8)
    return _activation_bytes(_with_few_layers(block), batch, bytes_per_value)


def _with_few_layers(block: Block) -> Block:
    """Return the block with at most two layers: those behind the second hold what it holds."""
    dims = block.as_dict()
    return (
        Block.of(block.op, **{**dims, "depth": min(dims["depth"], 2)}) if "depth" in dims else block
    )


# A search asks for the same blocks again and again.
@functools.lru_cache(maxsize=65_536)
def _activation_bytes(block: Block, batch: int, bytes_per_value: int) -> int:
    from .modules.live_memory import peak_bytes

    return peak_bytes(block, batch, bytes_per_value)


def peak_memory_bytes(spec: Spec, batch: int = 1, bytes_per_value: int = 4) -> int:
    """Return the bytes of all weights and of what the block that holds most holds as it runs.

    Blocks run one after another, so that only one of them needs memory besides its weights. What
    `activation_bytes` says of its figure holds for this one.
    """
    largest = max(activation_bytes(block, batch, bytes_per_value) for block in set(spec.blocks()))
    return bytes_per_value * spec.params + largest
