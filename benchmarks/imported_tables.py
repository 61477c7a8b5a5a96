"""How far interpolation in another tool's table errs: rows left out, and answered by the rest.

    python benchmarks/imported_tables.py --from nnmeter pixel6.json --unit ms [--rows 60]

An op a line: its rows; how many of them the largest full grid over all axes holds, and the grids
of each kind; the error at rows that are left out one by one (those at an edge have no rows around
them and are counted as refused), and at rows of a whole inner level of an axis that is left out.
Nothing is measured: a minute on one core.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from vitprof.models import Block, find_op
from vitprof.tables import Row
from vitprof.tables.grids.grid import OpGrid, OutsideTableError, dims_array
from vitprof.tables.grids.op_grids import OpGrids
from vitprof.tables.grids.ragged import RaggedGrid
from vitprof.tables.importers import import_table


@dataclass
class LeftOut:
    """Relative errors at rows that were left out, and how many could not be answered."""

    errors: list[float] = field(default_factory=list)
    refused: int = 0

    def ask(self, rest: RaggedGrid, row: Row) -> None:
        assert isinstance(row.subject, Block)
        try:
            ms = float(rest.interpolate(dims_array([row.subject]))[0])
        except OutsideTableError:
            self.refused += 1
            return
        self.errors.append(abs(ms / row.latency_ms - 1))

    def __str__(self) -> str:
        if not self.errors:
            return f"none answered, {self.refused} refused"
        middle, high = np.quantile(self.errors, [0.5, 0.95])
        return (
            f"median {middle:5.1%}, mean {np.mean(self.errors):5.1%}, 95th {high:5.1%} "
            f"of {len(self.errors)}; {self.refused} refused"
        )


def one_by_one(op: str, rows: Sequence[Row], count: int, rng: random.Random) -> LeftOut:
    found = LeftOut()
    for n in rng.sample(range(len(rows)), min(count, len(rows))):
        found.ask(RaggedGrid(op, [*rows[:n], *rows[n + 1 :]]), rows[n])
    return found


def by_level(op: str, axis: str, rows: Sequence[Row], count: int, rng: random.Random) -> LeftOut:
    found = LeftOut()
    levels = sorted({row.subject[axis] for row in rows if isinstance(row.subject, Block)})[1:-1]
    for level in rng.sample(levels, min(4, len(levels))):
        held = [row for row in rows if row.subject[axis] == level]  # type: ignore[index]
        rest = [row for row in rows if row.subject[axis] != level]  # type: ignore[index]
        grid = RaggedGrid(op, rest)
        for row in rng.sample(held, min(count, len(held))):
            found.ask(grid, row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--from", dest="kind", required=True)
    parser.add_argument("--unit")
    parser.add_argument("--rows", type=int, default=60, help="left out of each kind of an op")
    given = parser.parse_args()
    table = import_table(given.kind, given.path, "the device", unit=given.unit).table
    rng = random.Random(0)
    for op in table.ops:
        rows = [row for row in table.block_rows if str(row.subject).startswith(f"{op}(")]
        grids = OpGrids(op, rows)
        whole = len(OpGrid(op, rows).rows)
        print(f"{op}: {len(rows)} rows; one full grid holds {whole}, {len(grids.parts)} kinds all")
        if not find_op(op).ragged:
            continue
        for part in grids.parts:
            fixed = {a: int(lv[0]) for a, lv in zip(part.axes, part.levels, strict=True)}
            kind = ", ".join(f"{axis}={fixed[axis]}" for axis in find_op(op).fixed)
            of_part = list(part.rows)
            print(f"  {kind or 'all'}: one by one: {one_by_one(op, of_part, given.rows, rng)}")
            for axis, levels in zip(part.axes, part.levels, strict=True):
                if len(levels) > 2:
                    print(f"    {axis:14} {by_level(op, axis, of_part, given.rows // 2, rng)}")


if __name__ == "__main__":
    main()
