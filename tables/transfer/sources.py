"""The tables of others, side by side: what each point costs by each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ...models import Block, Spec
from ..grids.grid import dims_array
from ..row import NORMAL_95, Context, Row
from ..table import LatencyTable

# A Block in its context, or a whole model: what a row of a table is of.
Key = tuple[Block | Spec, Context]

# What a source's latency is off by where it has no interval (a relative standard deviation).
NO_INTERVAL_SD = 0.02
# What a latency is off by that a source lacks, and that others and its blocks of the op tell.
FILLED_SD = 0.1


@dataclass(frozen=True)
class Sources:
    """What `keys` (m points) cost by each table: `logs` (m, tables) of milliseconds.

    `noise_sd` (m,) is what the tables' own intervals leave of their mean, relative. `lacking` are
    points that failed in every table.
    """

    tables: Sequence[LatencyTable]
    keys: Sequence[Key]
    logs: np.ndarray
    noise_sd: np.ndarray
    lacking: Sequence[Key] = ()

    @property
    def names(self) -> list[str]:
        return [table.source for table in self.tables]

    @property
    def ops(self) -> list[str]:
        """The ops of the blocks, in the tables' order."""
        found = (key[0].op for key in self.keys if isinstance(key[0], Block))
        return list(dict.fromkeys(found))


def side_by_side(tables: Sequence[LatencyTable], models: Sequence[Spec] = ()) -> Sources:
    """Return what every point of any table, and every one of `models`, costs by each.

    A table that lacks a point gives what it interpolates, or predicts of a model; where it cannot,
    the other tables give it, by how its other blocks of the op compare with theirs. Raises
    UserError without tables, for an unfinished one, and for two that share no point.
    """
    if not tables:
        raise UserError("there is no table to transfer from; give some: `sources`.")
    for table in tables:
        if table.unfinished:
            raise UserError(f"{table.source} is unfinished; finish measuring it first.")
    by_table = [_known_rows(table) for table in tables]
    every: list[Key] = list(dict.fromkeys(key_of(row) for table in tables for row in table.rows))
    wanted = [key for key in every if any(key in known for known in by_table)]
    lacking = [key for key in every if not any(key in known for known in by_table)]
    if not wanted:
        raise UserError(f"{tables[0].source} has no measured point to transfer.")
    keys = list(dict.fromkeys([*wanted, *map(key_of_model, models)]))
    columns = [_column(table, known, keys) for table, known in zip(tables, by_table, strict=True)]
    logs = np.stack([column[0] for column in columns], axis=1)
    noise = np.stack([column[1] for column in columns], axis=1)
    logs, filled = _filled(logs, keys, [table.source for table in tables])
    noise = np.where(filled, FILLED_SD, noise)
    of_mean = np.sqrt((noise**2).sum(axis=1)) / len(tables)
    known = ~np.isnan(logs).any(axis=1)
    kept = [key for key, is_known in zip(keys, known, strict=True) if is_known]
    return Sources(tuple(tables), kept, logs[known], of_mean[known], lacking)


def key_of(row: Row) -> Key:
    """Return what no other row of the table shares."""
    return row.subject, row.context


def key_of_model(spec: Spec) -> Key:
    """Return the key of a whole model's row."""
    return spec, "in_model"


def relative_sd(row: Row) -> float:
    """Return the standard deviation of a row's latency, relative to it; NaN where none is known."""
    return (row.high_ms - row.low_ms) / 2 / NORMAL_95 / row.latency_ms


def _known_rows(table: LatencyTable) -> dict[Key, Row]:
    return {key_of(row): row for row in table.rows if row.verdict != "failed"}


def _column(
    table: LatencyTable, known: dict[Key, Row], keys: Sequence[Key]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a table's log latency of each point and its standard deviation; NaN where unknown."""
    logs, sd = np.full(len(keys), math.nan), np.full(len(keys), NO_INTERVAL_SD)
    missing: dict[str, list[tuple[int, Block]]] = {}
    for n, key in enumerate(keys):
        row = known.get(key)
        if row is not None:
            logs[n] = math.log(row.latency_ms)
            sd[n] = _or_assumed(relative_sd(row))
        elif isinstance(key[0], Spec):
            logs[n], sd[n] = _predicted(table, key[0])
        elif key[0].op in table.ops and table.contexts(key[0].op)[0] == key[1]:
            missing.setdefault(key[0].op, []).append((n, key[0]))
    for op, points in missing.items():
        logs[[n for n, _ in points]] = _interpolated(table, op, [block for _, block in points])
    return logs, sd


def _or_assumed(sd: float) -> float:
    return NO_INTERVAL_SD if math.isnan(sd) else sd


def _predicted(table: LatencyTable, spec: Spec) -> tuple[float, float]:
    try:
        answer = table.predict(spec)
    except UserError:
        return math.nan, NO_INTERVAL_SD
    half = (answer.high_ms - answer.low_ms) / 2 / answer.ms
    return math.log(answer.ms), _or_assumed(half / NORMAL_95)


def _interpolated(table: LatencyTable, op: str, blocks: Sequence[Block]) -> np.ndarray:
    """Return the log latencies of blocks inside the table's grids; NaN outside."""
    logs = np.full(len(blocks), math.nan)
    dims = dims_array(blocks)
    for grid, where in table.grids(op).split(dims):
        corners = grid.corners(dims[where])
        inside = ~np.any([corners.outside[axis] for axis in grid.axes], axis=0)
        ms = grid.weighted(corners)
        good = inside & np.isfinite(ms) & (ms > 0)
        logs[where[good]] = np.log(ms[good])
    return logs


def _filled(
    logs: np.ndarray, keys: Sequence[Key], names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the latencies with gaps predicted from the other tables, and which were gaps.

    A gap is what another table says, moved by how far the two lie apart at the points of the op
    that both have (of any op, where there is none), in the mean over those other tables.
    """
    gaps = np.isnan(logs)
    ops = np.array([key[0].op if isinstance(key[0], Block) else "model" for key in keys])
    for a in range(logs.shape[1]):
        for b in range(a):
            if not (~gaps[:, a] & ~gaps[:, b]).any():
                raise UserError(
                    f"{names[b]} and {names[a]} share no point, so how their latencies compare is "
                    "not known; transfer from tables of the same family and grid."
                )
    if not gaps.any():
        return logs, gaps
    filled = logs.copy()
    for a in range(logs.shape[1]):
        for op in dict.fromkeys(ops[gaps[:, a]]):
            here = gaps[:, a] & (ops == op)
            estimates = np.full((int(here.sum()), logs.shape[1]), math.nan)
            for b in range(logs.shape[1]):
                both = ~gaps[:, a] & ~gaps[:, b]
                of_op = both & (ops == op)
                apart = logs[of_op if of_op.any() else both]
                estimates[:, b] = logs[here, b] + float(np.mean(apart[:, a] - apart[:, b]))
            counts = (~np.isnan(estimates)).sum(axis=1)
            sums = np.nansum(estimates, axis=1)
            filled[here, a] = np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)
    return filled, gaps
