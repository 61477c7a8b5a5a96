"""An op's grids as data: what the page's interpolation reads, see web-assets/interpolation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ...models import Block, find_op
from ...tables import LatencyTable, Row
from ...tables.grids.grid import OpGrid
from ...tables.grids.ragged import RaggedGrid
from ...tables.grids.scattered import ScatteredPoints
from ...tables.grids.steps import Steps
from .closed_forms import forms_of

BYTES_PER_VALUE = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "int8-static": 1}


def op_record(table: LatencyTable, op: str) -> dict[str, Any]:
    """Return an op's axes, closed forms and grids as JSON values; latencies are in ms."""
    definition, grids = find_op(op), table.grids(op)
    kinds: dict[str, Mapping[str, int]] = {}
    for part in grids.parts:
        for row in _rows(part):
            assert isinstance(row.subject, Block)
            dims = row.subject.as_dict()
            of_kind = {axis: dims[axis] for axis in definition.fixed}
            kinds[_key(of_kind)] = of_kind
    plain = [part for part in grids.parts if type(part) is OpGrid and part.steps is not None]
    return {
        "name": op,
        "axes": list(definition.axes),
        "fixed": list(definition.fixed),
        "linear": list(definition.linear),
        "squared": list(definition.squared),
        "on_grid": definition.on_grid,
        "context": table.contexts(op)[0],
        "forms": {key: forms_of(definition, of_kind) for key, of_kind in kinds.items()},
        "steps": _steps(plain[0].steps) if plain and plain[0].steps else None,
        "parts": [_part(part, table) for part in grids.parts],
    }


def _key(kinds: Mapping[str, int]) -> str:
    return ",".join(str(value) for value in kinds.values())


def _rows(part: OpGrid) -> Iterable[Row]:
    return [*part.rows, *part.extra.values()]


def _part(part: OpGrid, table: LatencyTable) -> dict[str, Any]:
    kind = "grid"
    if isinstance(part, RaggedGrid):
        kind = "ragged"
    elif isinstance(part, ScatteredPoints):
        kind = "scattered"
    return {
        "kind": kind,
        "stepped": part.steps is not None,
        "levels": [[int(level) for level in levels] for levels in part.levels],
        "rows": _columns(part.rows, table),
        "extra": _columns(part.extra.values(), table),
    }


def _columns(rows: Iterable[Row], table: LatencyTable) -> dict[str, list[Any]]:
    """Return rows as columns; a failed one's ms is None, and its error says why."""
    found: dict[str, list[Any]] = {
        name: [] for name in ("dims", "ms", "half", "macs", "bytes", "verdict", "error")
    }
    setting = table.setting
    width = BYTES_PER_VALUE.get(setting.dtype, 4)
    for row in rows:
        block = row.subject
        assert isinstance(block, Block)
        counted = block.definition.counted
        failed = row.verdict == "failed"
        found["dims"].append([value for _, value in block.dims])
        found["ms"].append(number(row.latency_ms))
        found["half"].append(number((row.high_ms - row.low_ms) / 2))
        found["macs"].append(block.macs * setting.batch if counted else None)
        found["bytes"].append(block.bytes(setting.batch, width) if counted else None)
        found["verdict"].append(row.verdict)
        found["error"].append((row.error or "no reason was recorded") if failed else "")
    if not any(found["error"]):
        found["error"] = []
    return found


def _steps(steps: Steps) -> dict[str, Any]:
    return {
        "tile": steps.tile,
        "columns": steps.columns,
        "levels": {axis: list(levels) for axis, levels in steps.levels.items()},
        "factors": {axis: [float(one) for one in of] for axis, of in steps.factors.items()},
    }


def number(value: float | None) -> float | None:
    """Return a number as JSON has it: None for NaN and infinities."""
    return value if value is not None and math.isfinite(value) else None
