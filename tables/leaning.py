"""How much a table's predictions lean on each of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import UserError
from ..models import Block, Spec
from .calibration.calibration import FEWEST_MODELS, PRIOR_RESIDUAL_SD, LoneBlocks, model_weights
from .grids.grid import dims_array
from .table import LatencyTable


def influences(table: LatencyTable, specs: Sequence[Spec]) -> dict[object, float]:
    """Return by row key its influence on the predictions of these models.

    That is the mean over the models of w², where a row that is off by a relative error e moves the
    model's prediction by w · e. Independent errors of rows then give predictions the variance
    Σ influence · error². Blocks that a model repeats lean on the same rows: their weights add up.
    Whole models act through the line that is fitted on them (`model_weights`). A model that the
    rows so far do not cover is left out; without any left, every row counts alike.
    """
    total: dict[object, float] = {}
    covered: dict[str, list[LoneBlocks]] = {}
    for spec in specs:
        try:
            blocks = table.predict(spec, calibrated=False).by_block
        except UserError:
            continue
        covered.setdefault(spec.line_family, []).append(
            LoneBlocks.of((p.block, p.ms) for p in blocks)
        )
        whole = sum(part.ms for part in blocks)
        for key, ms in _leaning(table, [part.block for part in blocks]).items():
            total[key] = total.get(key, 0.0) + (ms / whole) ** 2
    count = sum(map(len, covered.values()))
    if not count:
        return {row.key: 1.0 for row in table.rows}
    found = {key: squares / count for key, squares in total.items()}
    for family, lone in covered.items():
        of_models = _of_models(table, family, lone)
        found |= {key: square * len(lone) / count for key, square in of_models.items()}
    return found


def _leaning(table: LatencyTable, blocks: Sequence[Block]) -> dict[object, float]:
    """Return by row key how many ms of these blocks' sum it accounts for."""
    found: dict[object, float] = {}
    for op in dict.fromkeys(block.op for block in blocks):
        of_op = [block for block in blocks if block.op == op]
        dims = dims_array(of_op)
        for grid, where in table.grids(op).split(dims, extrapolate=True):
            corners, exact = grid.corners(dims[where]), grid.exact_rows(dims[where])
            weights = corners.weights * corners.scale[:, None]
            for n in range(len(where)):
                if n in exact:
                    row = exact[n]
                    found[row.key] = found.get(row.key, 0.0) + row.latency_ms
                    continue
                steps = grid.steps.leaning(grid, dims[where[n]]) if grid.steps else {}
                ms = (
                    float(np.nansum(weights[n] * grid.values[corners.indices[n]])) if steps else 0.0
                )
                for key, share in steps.items():
                    found[key] = found.get(key, 0.0) + share * ms
                for index, weight in zip(corners.indices[n], weights[n], strict=True):
                    row = grid.rows[int(index)]
                    if weight:
                        found[row.key] = found.get(row.key, 0.0) + weight * row.latency_ms
    return found


def _of_models(
    table: LatencyTable, family: str, specs: Sequence[LoneBlocks]
) -> Mapping[object, float]:
    """Return by key the mean squared weight of each whole model of a family in a fitted line."""
    keys, lone, measured = [], [], []
    for row in table.model_rows:
        subject = row.subject
        if (
            row.verdict == "failed"
            or not isinstance(subject, Spec)
            or subject.line_family != family
        ):
            continue
        try:
            blocks = table.predict(subject, calibrated=False).by_block
        except UserError:
            continue
        keys.append(row.key)
        lone.append(LoneBlocks.of((part.block, part.ms) for part in blocks))
        measured.append(row.latency_ms)
    if len(lone) < FEWEST_MODELS:
        return {}
    weights = model_weights(lone, measured, specs, PRIOR_RESIDUAL_SD)
    return dict(zip(keys, np.mean(weights**2, axis=0).tolist(), strict=True))
