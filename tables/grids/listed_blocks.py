"""Many models as lists of blocks, each different block once: most models share most of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...models import Block, find_op
from .block_arrays import OpColumns
from .grid import dims_array


@dataclass(frozen=True)
class ListedBlocks:
    """The different blocks of `count` models (an equal block may occur twice).

    Of all blocks, one behind another, `block` are positions in `blocks` and `model` in the models.
    """

    count: int
    blocks: Sequence[Block]
    block: np.ndarray
    model: np.ndarray

    @classmethod
    def of(cls, models: Sequence[Sequence[Block]]) -> ListedBlocks:
        """Gather the blocks of all models, in time linear in their number."""
        every = [block for blocks in models for block in blocks]
        # Equal blocks are mostly one object, which is quicker to look up than to compare. Where
        # they are two, both are looked up in the table.
        objects = {id(block): block for block in every}
        number_of = dict(zip(objects, range(len(objects)), strict=True))
        block = np.fromiter(map(number_of.__getitem__, map(id, every)), np.intp, len(every))
        lengths = [len(blocks) for blocks in models]
        return cls(
            len(models), list(objects.values()), block, np.repeat(np.arange(len(models)), lengths)
        )

    def by_op(self) -> Iterator[tuple[str, np.ndarray, OpColumns]]:
        """Yield each op, the positions of its different blocks, and their dims (n x 1)."""
        positions: dict[str, list[int]] = {}
        for position, block in enumerate(self.blocks):
            positions.setdefault(block.op, []).append(position)
        for op, of_op in positions.items():
            dims = dims_array([self.blocks[position] for position in of_op])
            columns = {axis: dims[:, [at]] for at, axis in enumerate(find_op(op).axes)}
            yield op, np.array(of_op), OpColumns(columns)

    def sums(self, of_blocks: np.ndarray) -> np.ndarray:
        """Return each model's sum over its blocks, given what each different block counts."""
        return np.bincount(self.model, of_blocks[self.block], self.count)
