"""LatencyTable: the rows of one device under one setting, and the questions it answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..models import Block, Spec
from .atomic_write import write_atomically
from .block_arrays import BlockArrays
from .csv_format import encode_header, encode_row, read_table_file
from .grid import OpGrid, dims_array
from .prediction import BlockPrediction, Prediction
from .row import Context, Row
from .setting import Setting

if TYPE_CHECKING:
    import pandas as pd


class LatencyTable:
    """What blocks cost on one device: rows + Setting + environment.

    `environment` describes the machine (CPU or GPU name, clocks, runtime versions), `protocol` how
    it was sampled. Every latency is in milliseconds for one run of `setting.batch` images.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        setting: Setting,
        environment: Mapping[str, Any] | None = None,
        protocol: Mapping[str, Any] | None = None,
        *,
        source: str = "the table",
        unfinished: bool = False,
        other: Mapping[str, Any] | None = None,
    ) -> None:
        self.rows = list(rows)
        self.setting = setting
        self.environment = dict(environment or {})
        self.protocol = dict(protocol or {})
        self.source = source
        self.unfinished = unfinished
        self.other = dict(other or {})
        self._grids: dict[tuple[str, Context], OpGrid] = {}

    # --- files -----------------------------------------------------------------------------------

    @classmethod
    def read_csv(cls, path: str | Path) -> LatencyTable:
        """Read a table; a fault is a UserError with file, line and value. Executes nothing.

        An unfinished table (its measuring was interrupted) reads as what was done so far, with
        `unfinished` set.
        """
        file = read_table_file(path)
        last = {row.key: row for row in file.rows if row.verdict != "partial"}
        known = {"setting", "environment", "protocol", "state", "rows"}
        return cls(
            last.values(),
            file.setting,
            file.header.get("environment"),
            file.header.get("protocol"),
            source=str(path),
            unfinished=file.measuring,
            other={key: value for key, value in file.header.items() if key not in known},
        )

    def to_csv(self, path: str | Path) -> None:
        """Write the table, whole or not at all."""
        write_atomically(path, self.to_text())

    def to_text(self) -> str:
        """Return the file's text, see `csv_format`."""
        header = {
            "setting": self.setting.as_dict(),
            "environment": self.environment,
            "protocol": self.protocol,
            **self.other,
            "state": "complete",
            "rows": len(self.rows),
        }
        return encode_header(header) + "".join(encode_row(row, self.setting) for row in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as the DataFrame that `pandas.read_csv(path, comment="#")` gives."""
        import io

        import pandas as pd

        return pd.read_csv(io.StringIO(self.to_text()), comment="#")

    # --- what it holds ---------------------------------------------------------------------------

    @property
    def block_rows(self) -> list[Row]:
        return [row for row in self.rows if not row.is_model]

    @property
    def model_rows(self) -> list[Row]:
        """Whole models measured beside the blocks."""
        return [row for row in self.rows if row.is_model]

    @property
    def ops(self) -> list[str]:
        return list(
            dict.fromkeys(row.subject.op for row in self.rows if isinstance(row.subject, Block))
        )

    @property
    def context(self) -> Context:
        """The context of the blocks that predictions are made from."""
        contexts = {row.context for row in self.block_rows}
        return "in_network" if "in_network" in contexts else "alone"

    def grid(self, op: str) -> OpGrid:
        """Return the grid of an op; raises UserError when the table has no row of it."""
        key = (op, self.context)
        if key not in self._grids:
            rows = [
                row
                for row in self.block_rows
                if isinstance(row.subject, Block)
                and row.subject.op == op
                and row.context == self.context
            ]
            if not rows:
                raise UserError(
                    f"{self.source} has no '{op}' block, only {', '.join(self.ops) or 'none'}; "
                    "measure one of a space that has it (vitprof measure --space)."
                )
            self._grids[key] = OpGrid(op, rows)
        return self._grids[key]

    def check_setting(self, **wanted: Any) -> None:
        """Raise UserError unless the table's setting has these values (None: any)."""
        for name, value in wanted.items():
            actual = getattr(self.setting, name)
            if value is not None and value != actual:
                raise UserError(
                    f"{self.source} was measured with {name} {actual}, not {value}; a latency of "
                    f"one does not stand for the other: measure it (vitprof measure --{name} "
                    f"{value})."
                )

    # --- questions -------------------------------------------------------------------------------

    def predict_block(self, block: Block, extrapolate: bool = False) -> BlockPrediction:
        """Return what one block costs."""
        return self._predict_blocks([block], extrapolate)[0][0]

    def predict(self, spec: Spec | str, extrapolate: bool = False) -> Prediction:
        """Return what a model (a Spec, or a name or path for `create_spec`) costs.

        A dim outside the measured range is a UserError that names the axis and its range, unless
        `extrapolate`: then the answer is marked in `extrapolated`.
        """
        if isinstance(spec, str):
            from ..models import create_spec

            spec = create_spec(spec)
        parts, half_width = self._predict_blocks(spec.blocks(), extrapolate)
        total = sum(part.ms for part in parts)
        return Prediction(
            spec.name,
            total,
            max(total - half_width, 0.0),
            total + half_width,
            parts,
            how="the sum of its blocks, each measured alone",
        )

    def predict_many(
        self, specs: Sequence[Spec] | BlockArrays, extrapolate: bool = False
    ) -> np.ndarray:
        """Return the milliseconds of each spec as an array, all interpolated at once.

        For hundreds of thousands of specs give `BlockArrays`: no Python object is made per block.
        """
        arrays = specs if isinstance(specs, BlockArrays) else BlockArrays.from_specs(specs)
        total = np.zeros(arrays.count)
        for op, columns in arrays.ops.items():
            self.grid(op).add_up(columns, total, extrapolate)
        return total

    def _predict_blocks(
        self, blocks: Sequence[Block], extrapolate: bool
    ) -> tuple[list[BlockPrediction], float]:
        """Return each block's prediction, and the half-width of their sum's 95 % interval.

        The errors of two measured points are independent, but a point that several blocks lean on
        errs the same way for all of them: so weights are summed per point before their squares
        are (variance of a weighted sum of independent measurements).
        """
        parts: list[BlockPrediction | None] = [None] * len(blocks)
        variance = 0.0
        for op in dict.fromkeys(block.op for block in blocks):
            positions = [i for i, block in enumerate(blocks) if block.op == op]
            grid = self.grid(op)
            dims = dims_array([blocks[i] for i in positions])
            corners = grid.corners(dims)
            exact = grid.exact_rows(dims, corners)
            if not extrapolate:
                grid.check_inside(dims, corners, exact)
            grid.check_measured(corners)
            ms = grid.weighted(corners)
            half = np.nan_to_num([_half_width(row) for row in grid.rows])
            weights = corners.weights * corners.scale[:, None]
            halves = np.sqrt(((weights * half[corners.indices]) ** 2).sum(axis=1))
            leaning = np.zeros(len(grid.rows))
            for n, i in enumerate(positions):
                outside = tuple(axis for axis in grid.axes if corners.outside[axis][n])
                value, width = float(ms[n]), float(halves[n])
                row = exact.get(n)
                if row is not None:
                    value, width, outside = row.latency_ms, _half_width(row), ()
                    variance += width**2
                else:
                    np.add.at(leaning, corners.indices[n], weights[n])
                parts[i] = BlockPrediction(blocks[i], value, value - width, value + width, outside)
            variance += float(np.sum((leaning * half) ** 2))
        return [part for part in parts if part is not None], math.sqrt(variance)


def _half_width(row: Row) -> float:
    if math.isnan(row.low_ms) or math.isnan(row.high_ms):
        return 0.0
    return (row.high_ms - row.low_ms) / 2
