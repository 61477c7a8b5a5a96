"""Many specs as arrays: what the fast path of prediction eats, without one object a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from ...models import Block, Spec, ViTSpec, find_op


@dataclass(frozen=True)
class OpColumns:
    """All blocks of one op in n specs, at most k a spec.

    `dims[axis]` are integers that broadcast to n x k; `present` (n x k) is False where a spec has
    fewer than k such blocks, None when every spec has k. Dims of absent blocks are ignored.
    """

    dims: Mapping[str, np.ndarray]
    present: np.ndarray | None = None

    def counts(self) -> int | np.ndarray:
        """Return how many blocks each spec has: n integers, or one that all share."""
        if self.present is not None:
            return self.present.sum(axis=1)
        return int(np.broadcast_shapes(*(array.shape for array in self.dims.values()))[1])

    def params_read(self, op: str) -> np.ndarray:
        """Return how many weights the blocks of each spec read, n of them, given what op they are.

        The closed forms take arrays for widths; axes of kinds are given them one kind at a time.
        """
        known = find_op(op)
        closed_form: Callable[[Mapping[str, Any]], Any] = known.params_read
        shape = np.broadcast_shapes(*(array.shape for array in self.dims.values()))
        kinds = {axis: self.dims[axis] for axis in known.fixed}
        widths = {axis: self.dims[axis] for axis in known.axes if axis not in kinds}
        total = np.zeros(shape)
        for kind, where in _kinds(kinds, shape, self.present):
            total = np.where(where, closed_form({**widths, **kind}), total)
        return total.sum(axis=1)


@dataclass(frozen=True)
class BlockArrays:
    """The blocks of `count` specs of one family, op by op."""

    count: int
    ops: Mapping[str, OpColumns]
    family: str = "vit"

    @classmethod
    def from_specs(cls, specs: Sequence[Spec]) -> BlockArrays:
        """Return the arrays of specs of one family (one object a block: for some thousands)."""
        families = {spec.family for spec in specs} or {"vit"}
        if len(families) > 1:
            raise UserError(
                f"the specs are of families {', '.join(sorted(families))}; arrays are of one."
            )
        return cls.from_blocks([spec.blocks() for spec in specs], *families)

    @classmethod
    def from_blocks(cls, models: Sequence[Sequence[Block]], family: str = "vit") -> BlockArrays:
        """Return the arrays of models of one family given as their blocks."""
        by_op: dict[str, dict[int, list[list[int]]]] = {}
        for index, blocks in enumerate(models):
            for block in blocks:
                of_model = by_op.setdefault(block.op, {}).setdefault(index, [])
                of_model.append([value for _, value in block.dims])
        count = len(models)
        return cls(count, {op: _padded(op, rows, count) for op, rows in by_op.items()}, family)

    @classmethod
    def from_vit_widths(
        cls,
        frame: ViTSpec,
        embed: np.ndarray,
        heads: np.ndarray,
        qk: np.ndarray,
        v: np.ndarray,
        mlp: np.ndarray,
    ) -> BlockArrays:
        """Return the arrays of n ViTs that share `frame`'s image, patch, classes and tokens.

        `embed` is n; `heads`, `qk`, `v` and `mlp` are n x layers, 0 where that half is absent.
        """
        n = len(embed)
        wide = np.reshape(embed, (n, 1))
        for name, array in (("heads", heads), ("qk", qk), ("v", v), ("mlp", mlp)):
            if array.ndim != 2 or array.shape != heads.shape or len(array) != n:
                raise UserError(
                    f"{name} has shape {array.shape}; embed is n, and heads, qk, v and mlp are all "
                    f"n x layers with n = {n}."
                )
        tokens = np.full((1, 1), frame.tokens)
        stem, head = frame.blocks()[0], frame.blocks()[-1]
        ops = {
            "patch_embed": OpColumns(_constants(stem.as_dict()) | {"embed": wide}),
            "attention": OpColumns(
                {"embed": wide, "heads": heads, "qk": qk, "v": v, "tokens": tokens},
                _present(heads),
            ),
            "mlp": OpColumns({"embed": wide, "mlp": mlp, "tokens": tokens}, _present(mlp)),
            "classifier": OpColumns(_constants(head.as_dict()) | {"embed": wide}),
        }
        absent = [
            op
            for op, columns in ops.items()
            if columns.present is not None and not columns.present.any()
        ]
        return cls(n, {op: columns for op, columns in ops.items() if op not in absent})


def _constants(dims: Mapping[str, int]) -> dict[str, np.ndarray]:
    return {axis: np.full((1, 1), value) for axis, value in dims.items()}


def _present(widths: np.ndarray) -> np.ndarray | None:
    present = widths > 0
    return None if present.all() else present


def _padded(op: str, rows: Mapping[int, Sequence[Sequence[int]]], count: int) -> OpColumns:
    """Return the columns of an op, given by model its blocks' dims."""
    axes = find_op(op).axes
    most = max(map(len, rows.values()))
    dims = np.zeros((count, most, len(axes)), dtype=np.int64)
    present = np.zeros((count, most), dtype=bool)
    for i, row in rows.items():
        dims[i, : len(row)] = row
        present[i, : len(row)] = True
    columns = {axis: dims[:, :, position] for position, axis in enumerate(axes)}
    return OpColumns(columns, None if present.all() else present)


def _kinds(
    kinds: Mapping[str, np.ndarray], shape: tuple[int, ...], present: np.ndarray | None
) -> Iterator[tuple[dict[str, int], np.ndarray]]:
    """Return every combination of these dims that a present block has, and where it has it."""
    there = np.ones(shape, dtype=bool) if present is None else present
    if not there.any():
        return
    if not kinds:
        yield {}, there
        return
    if all(array.size == 1 for array in kinds.values()):
        yield {axis: int(array.flat[0]) for axis, array in kinds.items()}, there
        return
    columns = [np.broadcast_to(array, shape) for array in kinds.values()]
    for values in np.unique(np.stack([column[there] for column in columns], axis=-1), axis=0):
        where = there.copy()
        for column, value in zip(columns, values, strict=True):
            where &= column == value
        yield dict(zip(kinds, values.tolist(), strict=True)), where
