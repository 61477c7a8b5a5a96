"""The blocks that two tables share: what carries over between devices without any whole model.

Imported tables hold blocks of which no model can be made here; but where two hold the same blocks,
their orders and their ratio say how alike the devices are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ...errors import UserError
from ...models import Block
from ..grids.grid import dims_array
from ..row import CONTEXTS, Context
from ..saved import LinesResult, csv_text
from ..table import LatencyTable
from .agreement import Agreement

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

How = Literal["measured", "interpolated_a", "interpolated_b"]
COLUMNS = ("block", "op", "a_ms", "b_ms", "ratio", "off_scale", "how")
# So many of the blocks that part most are in the report.
MOST_PARTED = 20


@dataclass(frozen=True)
class SharedBlock:
    """A block on both tables, ms for one run of each table's batch.

    `how` is "measured" where both have a row of it, else it says on which table it is interpolated.
    """

    block: Block
    a_ms: float
    b_ms: float
    how: How = "measured"

    @property
    def ratio(self) -> float:
        """Latency on b over that on a."""
        return self.b_ms / self.a_ms


@dataclass(frozen=True)
class SharedBlocks(LinesResult):
    """Two tables by label, and the blocks that both have: the measured ones first."""

    file_name: ClassVar[str] = "compare"

    tables: Mapping[str, LatencyTable]
    blocks: Sequence[SharedBlock]

    @property
    def a(self) -> str:
        """Label of the first table."""
        return next(iter(self.tables))

    @property
    def b(self) -> str:
        """Label of the second table."""
        return list(self.tables)[1]

    @property
    def title(self) -> str:
        """How many blocks are shared, and how alike they are ordered."""
        return (
            f"{len(self.blocks)} blocks of {self.a} and {self.b}: Kendall tau "
            f"{self.agreement.kendall_tau:.3f}, {self.b} takes {self.agreement.scale:.3g} x "
            f"{self.a}"
        )

    @cached_property
    def agreement(self) -> Agreement:
        """Of all shared blocks."""
        return _agreement(self.blocks)

    @cached_property
    def by_op(self) -> dict[str, Agreement]:
        """Of the blocks of each op."""
        apart: dict[str, list[SharedBlock]] = {}
        for shared in self.blocks:
            apart.setdefault(shared.block.op, []).append(shared)
        return {op: _agreement(of_op) for op, of_op in apart.items()}

    @property
    def interpolated(self) -> int:
        """How many of the blocks are interpolated on one of the tables."""
        return sum(shared.how != "measured" for shared in self.blocks)

    def off_scale(self, shared: SharedBlock) -> float:
        """How far a block is from the common scale: 0.1 where b takes 10 % more than that."""
        return shared.ratio / self.agreement.scale - 1

    @cached_property
    def parted(self) -> list[SharedBlock]:
        """All shared blocks, the one farthest from the common scale first."""
        middle = math.log(self.agreement.scale)
        return sorted(self.blocks, key=lambda shared: -abs(math.log(shared.ratio) - middle))

    def report(self) -> dict[str, Any]:
        """Return it as JSON values, with the keys of `vitprof compare --blocks --json`."""
        return {
            "tables": {
                label: {
                    "path": table.source,
                    "at": table.stated_at,
                    "blocks": len(table.block_rows),
                    **table.setting.as_dict(),
                }
                for label, table in self.tables.items()
            },
            "order": [self.a, self.b],
            "interpolated": self.interpolated,
            **self.agreement.report(),
            "by_op": {op: agreement.report() for op, agreement in self.by_op.items()},
            "parted": [
                dict(zip(COLUMNS, line, strict=True))
                for line in map(self._line, self.parted[:MOST_PARTED])
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a block: ms on both, the ratio b / a, and how far off the scale that is."""
        import pandas as pd

        return pd.DataFrame(map(self._line, self.blocks), columns=list(COLUMNS))

    def to_csv(self) -> str:
        """Return a line a block as CSV, numbers with six digits."""
        return csv_text(COLUMNS, map(self._line, self.blocks))

    def figure(self) -> Figure:
        """Return each block's latency on b over that on a, by op, and the common scale."""
        from .shared_blocks_plot import shared_blocks_figure

        return shared_blocks_figure(self)

    def _line(self, shared: SharedBlock) -> list[object]:
        return [
            str(shared.block),
            shared.block.op,
            shared.a_ms,
            shared.b_ms,
            shared.ratio,
            self.off_scale(shared),
            shared.how,
        ]


def compare_blocks(tables: Mapping[str, LatencyTable], interpolated: bool = False) -> SharedBlocks:
    """Compare two tables, by label, by the blocks that both have measured.

    interpolated: also by those that one has measured and the other can interpolate. Raises
    UserError where they share none.
    """
    (label_a, a), (label_b, b) = tables.items()
    in_a, in_b = _measured(a), _measured(b)
    shared = []
    for block, of_a in in_a.items():
        context = next(
            (one for one in CONTEXTS if one in of_a and one in in_b.get(block, {})), None
        )
        if context is not None:
            shared.append(SharedBlock(block, of_a[context], in_b[block][context]))
    if interpolated:
        both = {each.block for each in shared}
        only_a = [(block, ms) for block, ms in _first(in_a) if block not in both]
        only_b = [(block, ms) for block, ms in _first(in_b) if block not in both]
        shared += [SharedBlock(x, ms, on_b, "interpolated_b") for x, ms, on_b in _on(b, only_a)]
        shared += [SharedBlock(x, on_a, ms, "interpolated_a") for x, ms, on_a in _on(a, only_b)]
    if not shared:
        if set(in_a) & set(in_b):
            raise UserError(
                f"{a.source} and {b.source} hold the same blocks, but measured in different "
                "contexts (alone, or inside a network), which are not compared; measure both in "
                "one context."
            )
        raise UserError(_none_shared(a, b, interpolated))
    return SharedBlocks({label_a: a, label_b: b}, shared)


def _measured(table: LatencyTable) -> dict[Block, dict[Context, float]]:
    """Return the latencies of a table's blocks by context, those that failed left out."""
    found: dict[Block, dict[Context, float]] = {}
    for row in table.block_rows:
        if isinstance(row.subject, Block) and math.isfinite(row.latency_ms):
            found.setdefault(row.subject, {})[row.context] = row.latency_ms
    return found


def _first(found: Mapping[Block, Mapping[Context, float]]) -> Iterator[tuple[Block, float]]:
    for block, by_context in found.items():
        yield block, next(by_context[one] for one in CONTEXTS if one in by_context)


def _on(
    table: LatencyTable, blocks: Sequence[tuple[Block, float]]
) -> Iterator[tuple[Block, float, float]]:
    """Yield those blocks that a table can interpolate, with the given latency and its own."""
    by_op: dict[str, list[tuple[Block, float]]] = {}
    for block, ms in blocks:
        by_op.setdefault(block.op, []).append((block, ms))
    for op, of_op in by_op.items():
        if op not in table.ops:
            continue
        found = table.grids(op).where_inside(dims_array([block for block, _ in of_op]))
        for (block, ms), own in zip(of_op, found, strict=True):
            if math.isfinite(own):
                yield block, ms, float(own)


def _agreement(blocks: Sequence[SharedBlock]) -> Agreement:
    return Agreement.of(
        np.array([shared.a_ms for shared in blocks]), np.array([shared.b_ms for shared in blocks])
    )


def _none_shared(a: LatencyTable, b: LatencyTable, interpolated: bool) -> str:
    common = [op for op in a.ops if op in b.ops]
    if not common:
        return (
            f"{a.source} and {b.source} share no block: the one has {_listed(a.ops)}, the other "
            f"{_listed(b.ops)}; give tables of the same ops."
        )
    remedy = (
        "measure some of the one's on the other"
        if interpolated
        else "compare those that one can interpolate, with `interpolated`"
    )
    return (
        f"{a.source} and {b.source} both have {_listed(common)}, but no block was measured on "
        f"both; {remedy}."
    )


def _listed(ops: Sequence[str]) -> str:
    return ", ".join(ops) or "no blocks"
