"""LatencyTable: the rows of one device under one setting, and the questions it answers."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..atomic_write import write_atomically
from ..errors import UserError
from ..models import Block, Spec
from ..models.ops.kernels import function_name
from ..results import Result
from . import overview
from .assessment import ACCEPTED_ERROR, Assessment, assess
from .calibration.calibration import (
    Calibration,
    LoneBlocks,
    calibrations_from_header,
    header_of_calibrations,
)
from .csv_format import encode_table, read_table_file
from .grids.alike_specs import alike_specs
from .grids.block_arrays import BlockArrays, OpColumns
from .grids.grid import dims_array
from .grids.listed_blocks import ListedBlocks
from .grids.op_grids import OpGrids
from .header import TableHeader
from .prediction import BlockPrediction, Prediction
from .references import Reference, References
from .row import NORMAL_95, Context, Row
from .setting import Setting
from .single_blocks import in_place, predict_on, shares_transferred
from .speed import SPEEDS, Speed, speed_of
from .whole_layers import as_whole_layers

# A share that is printed as 100 %.
ALL_OF_IT = 0.995
# So many models' blocks are held in memory at once.
LISTED_AT_ONCE = 10_000

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class LatencyTable(Result):
    """What blocks cost on one device: rows + header.

    The header holds the setting, the machine and how it was sampled; in place of it a Setting does,
    with `environment` and `protocol`. Every latency is in milliseconds for one run of
    `setting.batch` images.
    """

    # What predictions may err by (a fraction) before the table counts as doubtful.
    accept = ACCEPTED_ERROR

    def __init__(
        self,
        rows: Iterable[Row],
        header: TableHeader | Setting,
        environment: Mapping[str, Any] | None = None,
        protocol: Mapping[str, Any] | None = None,
        *,
        source: str = "the table",
        unfinished: bool = False,
        calibrations: Mapping[str, Calibration] | None = None,
    ) -> None:
        if isinstance(header, Setting):
            header = TableHeader(header, environment or {}, protocol or {})
        self.rows = list(rows)
        self.header = header
        self.source = source
        self.unfinished = unfinished
        self.calibrations = dict(calibrations or {})
        self._grids: dict[str, OpGrids] = {}

    # --- files -----------------------------------------------------------------------------------

    @classmethod
    def read_csv(cls, path: str | Path, calibration: bool = True) -> Self:
        """Read a table; a fault is a UserError with file, line and value. Executes nothing.

        An unfinished table (its measuring was interrupted) reads as what was done so far, with
        `unfinished` set. With `calibration` False what the file says of it is passed over, however
        damaged.
        """
        file = read_table_file(path)
        last = {row.key: row for row in file.rows if row.verdict != "partial"}
        lines = file.calibration if calibration else None
        return cls(
            last.values(),
            file.header,
            source=str(path),
            unfinished=file.measuring,
            calibrations=calibrations_from_header(lines, f"{path}, line 2"),
        )

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table, whole or not at all."""
        write_atomically(Path(path), self.to_text())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table's file (CSV), as `to_csv`."""
        self.to_csv(path)

    def to_text(self) -> str:
        """Return the file's text, see `csv_format`."""
        closing = {
            "calibration": header_of_calibrations(self.calibrations),
            "state": "measuring" if self.unfinished else "complete",
            "rows": len(self.rows),
        }
        return encode_table(self.header, self.rows, closing)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as the DataFrame that `pandas.read_csv(path, comment="#")` gives."""
        import io

        import pandas as pd

        return pd.read_csv(io.StringIO(self.to_text()), comment="#")

    # --- whether it can be trusted ---------------------------------------------------------------

    @property
    def assessment(self) -> Assessment:
        """How far predictions are expected to err, what dominates that, and what would help."""
        return assess(self, self.accept)

    @property
    def is_doubtful(self) -> bool:
        """Whether points failed, or predictions are expected to err more than accepted."""
        return not self.assessment.is_usable

    # --- how it shows itself ---------------------------------------------------------------------

    @property
    def title(self) -> str:
        """How many rows it has, of which setting."""
        return overview.title(self)

    def report(self) -> dict[str, Any]:
        """Return what it holds as JSON values: setting, machine, ops with their ranges, noise."""
        return overview.overview(self)

    def figure(self) -> Figure:
        """Return milliseconds over MACs, of every block by op and of whole models."""
        from .table_plot import table_figure

        return table_figure(self.rows, self.ops, self.setting)

    def __repr__(self) -> str:
        return overview.as_text(self)

    def _repr_html_(self) -> str:
        return overview.as_html(self)

    # --- what it holds ---------------------------------------------------------------------------

    @property
    def setting(self) -> Setting:
        return self.header.setting

    @property
    def environment(self) -> Mapping[str, Any]:
        return self.header.environment

    @property
    def protocol(self) -> Mapping[str, Any]:
        return self.header.protocol

    @property
    def references(self) -> References:
        """What showed the machine's speed for blocks, and for whole models of each family."""
        return (self.header.references or References()).kept_by(self.rows)

    @property
    def block_rows(self) -> list[Row]:
        return [row for row in self.rows if not row.is_model]

    @property
    def model_rows(self) -> list[Row]:
        """Whole models measured beside the blocks."""
        return [row for row in self.rows if row.is_model]

    @cached_property
    def ops(self) -> list[str]:
        return list(
            dict.fromkeys(row.subject.op for row in self.rows if isinstance(row.subject, Block))
        )

    @property
    def stated_at(self) -> Speed | None:
        """The speed of the machine that latencies are at; None where the table cannot know."""
        stated = self.header.stated_at
        return stated if stated in self.known_speeds else None

    @property
    def known_speeds(self) -> list[Speed]:
        """The speeds that `at` can move the table to."""
        needed = {row.reference for row in self.rows if row.verdict != "failed"}
        return [one for one in SPEEDS if needed and needed <= set(self.header.reference_ms(one))]

    def at(self, speed: Speed | str) -> Self:
        """Return the same table with latencies at a speed of the machine.

        "undisturbed", "typical" (the median of the run) or "p90" (slower only one moment in ten).
        Each row moves by its own exponent, and lines through whole models are fitted again. Raises
        UserError where the table does not know the speed.
        """
        wanted = speed_of(speed)
        if self.header.imported and not self.header.readings:
            raise UserError(self._lacks_speed(wanted))
        if wanted == self.header.stated_at:
            return self
        factors = self._speed_factors(wanted)
        rows = [
            row if row.verdict == "failed" else row.scaled(factors[row.reference] ** row.exponent)
            for row in self.rows
        ]
        moved = self._changed(
            rows=rows, header=replace(self.header, stated_at=wanted), calibrations={}
        )
        if not self.calibrations:
            return moved
        from .calibration.calibrate import calibrated

        return calibrated(moved)

    def speed_factor(self, speed: Speed | str) -> float:
        """Return how many times as long whole models take at `speed` as the table says, typically.

        Raises UserError where the table does not know the speed.
        """
        factors = self._speed_factors(speed_of(speed))
        rows = self.model_rows or self.rows
        known = [factors[row.reference] ** row.exponent for row in rows if row.verdict != "failed"]
        return float(np.median(known)) if known else 1.0

    def _speed_factors(self, speed: Speed) -> dict[Reference | None, float]:
        """Return by reference what it takes at a speed over what it takes at the table's own."""
        at, own = self.header.reference_ms(speed), self.header.reference_ms()
        lacking = {row.reference for row in self.rows if row.verdict != "failed"} - set(at)
        if lacking:
            raise UserError(self._lacks_speed(speed))
        return {reference: ms / own[reference] for reference, ms in at.items()}

    def _lacks_speed(self, speed: Speed) -> str:
        known = self.known_speeds
        if self.header.imported:
            why = "its rows are another tool's, which says nothing of the machine's speed"
        elif not known:
            why = "it was measured without a reference"
        else:
            why = f"an older vitprof measured it: it knows {' and '.join(known)}"
        return (
            f"{self.source} cannot be stated at `at` {speed}: {why}; measure it again, or leave "
            "`at` away."
        )

    def with_rows(self, rows: Iterable[Row]) -> Self:
        """Return a table of other rows, measured in the same place; uncalibrated."""
        return self._changed(rows=list(rows), calibrations={})

    def with_calibrations(self, calibrations: Mapping[str, Calibration]) -> Self:
        """Return the same table with other lines through whole models, one a family of specs."""
        return self._changed(rows=list(self.rows), calibrations=dict(calibrations))

    def with_licence(self, licence: str) -> Self:
        """Return the same table, which says under which licence others may use it."""
        header = replace(self.header, licence=licence)
        return self._changed(header=header, rows=list(self.rows))

    def _changed(self, **attributes: Any) -> Self:
        changed = copy.copy(self)
        known = {"_grids": {}, **attributes}
        changed.__dict__ |= known
        for derived in ("ops", "_contexts", "_holds_layers"):
            changed.__dict__.pop(derived, None)
        return changed

    @property
    def calibration(self) -> Calibration | None:
        """The line through whole models where all are of one family; None without one."""
        lines = list(self.calibrations.values())
        return lines[0] if len(lines) == 1 else None

    def contexts(self, op: str) -> list[Context]:
        """Return the contexts in which an op was measured, the one used for predictions first."""
        found = self._contexts.get(op, set())
        return [context for context in ("in_network", "alone", "in_model") if context in found]

    @cached_property
    def _contexts(self) -> dict[str, set[Context]]:
        """The contexts in which each op was measured."""
        found: dict[str, set[Context]] = {}
        for row in self.rows:
            if isinstance(row.subject, Block):
                found.setdefault(row.subject.op, set()).add(row.context)
        return found

    def grids(self, op: str) -> OpGrids:
        """Return the grids of an op; raises UserError when the table has no row of it."""
        if op not in self._grids:
            context = next(iter(self.contexts(op)), None)
            rows = [
                row
                for row in self.block_rows
                if isinstance(row.subject, Block)
                and row.subject.op == op
                and row.context in (context, _only_context(row.subject))
            ]
            if not rows:
                self._check_finished([op])
                raise UserError(
                    f"{self.source} has no '{op}' block, only {', '.join(self.ops) or 'none'}; "
                    "measure one of a `family` that has it."
                )
            self._grids[op] = OpGrids(op, rows, self.header.tile)
        return self._grids[op]

    def _check_finished(self, ops: Iterable[str]) -> None:
        """Raise UserError where these ops are lacking because measuring was interrupted."""
        if self.unfinished:
            lacking = ", ".join(f"'{op}'" for op in dict.fromkeys(ops))
            raise UserError(
                f"{self.source} is unfinished: its measuring was interrupted before any {lacking} "
                "was measured; continue with the command that began it (vitprof measure), which "
                "measures only what is left."
            )

    def check_setting(self, **wanted: Any) -> None:
        """Raise UserError unless the table's setting has these values (None: any)."""
        for name, value in wanted.items():
            actual = getattr(self.setting, name)
            if value is not None and value != actual:
                raise UserError(
                    f"{self.source} was measured with {name} {actual}, not {value}; a latency of "
                    f"one does not stand for the other: measure a table with {name} {value}."
                )

    # --- questions -------------------------------------------------------------------------------

    def predict_block(self, block: Block, extrapolate: bool = False) -> BlockPrediction:
        """Return what one block costs."""
        return self._predict_blocks([block], extrapolate)[0][0]

    def predict(
        self,
        spec: Spec | str | os.PathLike[str],
        extrapolate: bool = False,
        calibrated: bool = True,
        partial: bool = False,
    ) -> Prediction:
        """Return what a model (a Spec, or a name or path for `create_spec`) costs.

        A dim outside the measured range is a UserError that names the axis and its range, unless
        `extrapolate`: then the answer is marked in `extrapolated`. The table's calibration, where
        it has one, is applied unless `calibrated` is False. A model with blocks of ops that the
        table has not is a UserError that lists them, unless `partial`: then the answer is for the
        rest, and `missing` lists them.
        """
        if not isinstance(spec, Spec):
            from ..models import create_spec

            spec = create_spec(os.fspath(spec))
        blocks = self._as_held(spec.blocks())
        missing = [block for block in blocks if not self._prices(block)]
        if missing and (not partial or len(missing) == len(blocks)):
            self._check_finished(block.op for block in missing)
            raise UserError(self._lacks(spec.name, missing, partial))
        parts, half_width = self._predict_blocks(
            [block for block in blocks if self._prices(block)], extrapolate
        )
        total = sum(part.ms for part in parts)
        contexts = {self.contexts(part.block.op)[0] for part in parts}
        where = " or ".join(_IN_WORDS[context] for context in sorted(contexts))
        transferred = shares_transferred(parts)
        measured = _HOW_KNOWN[0 if not transferred else 1 if transferred < ALL_OF_IT else 2]
        how = f"the sum of its blocks, each {measured} {where}"
        if missing:
            how = f"the sum of those of its blocks that the table has, each {measured} {where}"
        if self.header.imported:
            tools = dict.fromkeys(str(origin.get("tool")) for origin in self.header.imported)
            how += f" by another tool (imported from {', '.join(tools)})"
        line = self.calibrations.get(spec.line_family) if calibrated else None
        offset = 0.0
        if line is not None:
            lone = LoneBlocks.of((part.block, part.ms) for part in parts)
            parts = [in_place(part, line) for part in parts]
            offset = line.offset_ms
            total = line.latency(lone)
            known = 0.0 if math.isnan(half_width) else half_width
            half_width = line.half_width(lone, known / NORMAL_95)
            how += (
                f", corrected by a line fitted on {line.models} whole models (held-out error "
                f"{line.held_out_mape:.1%})"
            )
        if transferred and self.header.transfer:
            # What the sources and the probes leave is common to all blocks, and no line lessens it.
            common = NORMAL_95 * transferred * float(self.header.transfer["whole_sd"])
            half_width = max(0.0 if math.isnan(half_width) else half_width, common * total)
            how += f"; {transferred:.0%} of it is transferred from other tables, not measured"
        if 2 * half_width > total and any(part.extrapolated for part in parts):
            half_width = math.nan  # far outside the table an interval says nothing
        return Prediction(
            spec.name,
            total,
            max(total - half_width, 0.0) if half_width == half_width else math.nan,  # noqa: PLR0124
            total + half_width,
            parts,
            offset_ms=offset,
            how=how,
            missing=missing,
            setting=self.setting,
            at=self.stated_at,
        )

    def predict_many(
        self, specs: Sequence[Spec] | BlockArrays, extrapolate: bool = False
    ) -> np.ndarray:
        """Return the milliseconds of each spec as an array, all interpolated at once.

        For hundreds of thousands of specs give `BlockArrays`: no Python object is made per block.
        """
        if not isinstance(specs, BlockArrays):
            return self._predict_families(specs, extrapolate)
        total = np.zeros(specs.count)
        for op, columns in specs.ops.items():
            total += self._of_op(op, columns, specs.count, specs.family, extrapolate)
        return total + self.offset_ms(specs.family)

    def _of_op(
        self, op: str, columns: OpColumns, count: int, family: str, extrapolate: bool
    ) -> np.ndarray:
        """Return what the blocks of one op add to each of `count` whole models."""
        ms = np.zeros(count)
        self.grids(op).add_up(columns, ms, extrapolate)
        line = self.calibrations.get(family)
        if line is not None:
            ms *= line.factor(op)
            ms += line.block_ms(op) * columns.counts()
            ms += line.per_mparam_ms / 1e6 * columns.params_read(op)
        return ms

    def parts_ms(
        self, parts: Sequence[Sequence[Block]], family: str, extrapolate: bool = False
    ) -> np.ndarray:
        """Return what each part of a model of this family, given as its blocks, adds to the whole.

        A whole is the sum of its parts and `offset_ms(family)`. Raises UserError as predict does.
        """
        listed = ListedBlocks.of([self._as_held(blocks) for blocks in parts])
        ms = np.zeros(len(listed.blocks))
        for op, positions, columns in listed.by_op():
            ms[positions] = self._of_op(op, columns, len(positions), family, extrapolate)
        return listed.sums(ms)

    def offset_ms(self, family: str) -> float:
        """Return what a whole model of this family takes beside the sum of its parts."""
        line = self.calibrations.get(family)
        return 0.0 if line is None else line.offset_ms

    def _predict_families(self, specs: Sequence[Spec], extrapolate: bool) -> np.ndarray:
        """Return the milliseconds of each spec; each family has its own line."""
        total = np.zeros(len(specs))
        for positions, arrays in alike_specs(specs):
            if arrays is not None and not self._holds_layers:
                total[positions] = self.predict_many(arrays, extrapolate)
                continue
            for start in range(0, len(positions), LISTED_AT_ONCE):
                part = positions[start : start + LISTED_AT_ONCE]
                family = specs[part[0]].line_family
                blocks = [specs[i].blocks() for i in part]
                total[part] = self.parts_ms(blocks, family, extrapolate) + self.offset_ms(family)
        return total

    def _as_held(self, blocks: Sequence[Block]) -> Sequence[Block]:
        """Return a model's blocks as the table holds them: an imported one may hold layers."""
        return as_whole_layers(blocks) if self._holds_layers else blocks

    @cached_property
    def _holds_layers(self) -> bool:
        return "layer" in self.ops and not {"attention", "mlp"} & set(self.ops)

    def _prices(self, block: Block) -> bool:
        """Tell whether the table has the block's op, and of a kernel its function too."""
        return block.op in self.ops and self.grids(block.op).has_function_of(block)

    def _lacks(self, model: str, missing: Sequence[Block], partial: bool) -> str:
        """Return the sentence that says which ops the table lacks."""
        ops = ", ".join(f"'{name}'" for name in dict.fromkeys(map(_op_and_function, missing)))
        kernels = any(block.definition.scattered is not None for block in missing)
        how = "vitprof measure --kernels" if kernels else "vitprof measure"
        remedy = (
            "none of the model is left to predict"
            if partial
            else f"measure a table that has them ({how}), or predict the rest with `partial`"
        )
        return (
            f"{self.source} has no {ops} block, which {model or 'the model'} has, only "
            f"{', '.join(self.ops) or 'none'}; {remedy}."
        )

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
            of_op = [i for i, block in enumerate(blocks) if block.op == op]
            dims = dims_array([blocks[i] for i in of_op])
            for grid, where in self.grids(op).split(dims, extrapolate):
                positions = [of_op[n] for n in where]
                found, leaning = predict_on(
                    grid, [blocks[i] for i in positions], dims[where], extrapolate
                )
                variance += leaning
                for i, part in zip(positions, found, strict=True):
                    parts[i] = part
        return [part for part in parts if part is not None], math.sqrt(variance)


def _only_context(block: Block) -> Context | None:
    """Return the one context of a block that cannot follow itself, None of others."""
    return "alone" if block.input_shape != block.output_shape else None


_HOW_KNOWN = ("measured", "measured or transferred", "transferred")
_IN_WORDS = {"alone": "alone", "in_network": "inside a network", "in_model": "in its model"}


def _op_and_function(block: Block) -> str:
    """Return an op, and of a kernel of several functions which one."""
    dims = block.as_dict()
    return f"{block.op} {function_name(block.op, dims)}" if "function" in dims else block.op
