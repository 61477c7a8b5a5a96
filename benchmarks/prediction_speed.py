"""Predictions a second on one core, against a loop of RegularGridInterpolator calls.

python benchmarks/prediction_speed.py [--table lut.csv]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from report import heading, publish, table
from scipy.interpolate import RegularGridInterpolator
from vitprof.models import create_spec, find_op
from vitprof.profiler.spaces_of_table import grids_of
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.grids.block_arrays import BlockArrays

LAYERS = 12


def stand_in() -> LatencyTable:
    """The default grid with made-up latencies: speed does not depend on them."""
    rng = np.random.default_rng(0)
    rows = [Row(b, latency_ms=b.macs / 5e7 * rng.uniform(0.9, 1.1)) for b in ViTSlabs().blocks()]
    return LatencyTable(rows, Setting("cpu", "onnxruntime"))


def random_widths(lut: LatencyTable, count: int) -> dict[str, np.ndarray]:
    space, rng = ViTSlabs.of_grids(grids_of(lut)), np.random.default_rng(1)
    shape = {"embed": count}
    return {
        axis: rng.integers(
            *space.range_of(axis), size=shape.get(axis, (count, LAYERS)), endpoint=True
        )
        for axis in ("embed", "heads", "qk", "v", "mlp")
    }


def reference(lut: LatencyTable, arrays: BlockArrays, count: int) -> np.ndarray:
    """The same by scipy: one call a block, as a user would write it."""
    interpolators = {}
    for op in arrays.ops:
        grid = lut.grids(op).parts[0]
        active = [i for i, levels in enumerate(grid.levels) if len(levels) > 1]
        shape = [len(grid.levels[i]) for i in active]
        interpolators[op] = (
            [grid.axes[i] for i in active],
            RegularGridInterpolator([grid.levels[i] for i in active], grid.values.reshape(shape)),
        )
    total = np.zeros(count)
    for op, columns in arrays.ops.items():
        axes, interpolate = interpolators[op]
        line = lut.calibration
        blocks = max(columns.dims[axis].shape[1] for axis in axes)
        dims = [
            np.broadcast_to(columns.dims[axis], (len(columns.dims[axis]), blocks)) for axis in axes
        ]
        shape = (arrays.count, blocks)
        params = np.broadcast_to(find_op(op).params(columns.dims), shape) / 1e6
        factor, more = 1.0, np.zeros(shape)
        if line is not None:
            factor, more = line.factor(op), line.block_ms(op) + line.per_mparam_ms * params
        for spec in range(count):
            for block in range(blocks):
                ms = interpolate([[d[spec, block] for d in dims]])[0]
                total[spec] += factor * ms + more[spec, block]
    return total if lut.calibration is None else total + lut.calibration.offset_ms


def rows_of(lut: LatencyTable) -> list[list[str]]:
    frame = create_spec("deit-small")
    count, few = 400_000, 200
    arrays = BlockArrays.from_vit_widths(frame, **random_widths(lut, count))
    lut.predict_many(arrays)  # builds the grids
    times = []
    for _ in range(5):
        started = time.perf_counter()
        fast = lut.predict_many(arrays)
        times.append(time.perf_counter() - started)
    per_second = count / float(np.median(times))
    small = BlockArrays.from_vit_widths(
        frame, **{axis: values[:few] for axis, values in random_widths(lut, count).items()}
    )
    started = time.perf_counter()
    slow = reference(lut, small, few)
    loop = few / (time.perf_counter() - started)
    difference = float(np.abs(fast[:few] / slow - 1).max())
    return [
        ["predictions a second, one core, 12-block specs", "≥ 200,000", f"{per_second:,.0f}"],
        [
            "the same over a loop of RegularGridInterpolator calls",
            "≥ 100 ×",
            f"{per_second / loop:,.0f} × ({loop:,.0f} a second)",
        ],
        ["largest relative difference between the two", "≤ 1e-9", f"{difference:.1e}"],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    lut = LatencyTable.read_csv(arguments.table) if arguments.table else stand_in()
    publish(
        heading("Prediction speed") + "\n" + table(("what", "target", "measured"), rows_of(lut)),
        arguments.out,
    )


if __name__ == "__main__":
    main()
