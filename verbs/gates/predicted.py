"""Budgets that a table answers: no device is needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import UserError
from ...profiler.regression.outcome import outcome_of
from ...quantities import Quantity, bytes_of, count, latency_ms
from ...tables.sharing.plain_text import printable
from ..given_table import table_of
from ..inputs import Path, Shapes, priced_spec
from .check import LATENCY, MACS, MEMORY, PARAMS, Check

if TYPE_CHECKING:
    from ...models import Spec
    from ...tables import LatencyTable, Prediction
    from ...tables.speed import Speed

# Bytes of a number, where a dtype makes activations smaller; of int8 it does not.
_BYTES = {"fp16": 2, "bf16": 2}
# An answer of which so much is read from unstable points is warned of.
UNSTABLE = 0.1


@dataclass(frozen=True)
class Budget:
    """What a model may cost by a table: at least one of the limits is given.

    at: the speed of the table's machine, as `predict` has it. require_device: refuse a table of
    another one. place: where it is asked for, for messages: "gate.toml, [[budget]] 1". Raises
    UserError for a limit that is not a quantity, and where there is none.
    """

    model: Path | Spec
    table: Path | LatencyTable = "lut.csv"
    max_latency: Quantity | None = None
    max_memory: Quantity | None = None
    max_params: Quantity | None = None
    max_macs: Quantity | None = None
    at: Speed | str | None = None
    extrapolate: bool = False
    require_device: str | None = None
    shapes: Shapes | None = None
    place: str = ""

    def __post_init__(self) -> None:
        if not self.limits:
            raise UserError(
                "a predicted gate has no limit: give `max_latency`, `max_memory`, `max_params` or "
                "`max_macs`."
            )

    @property
    def limits(self) -> dict[str, float]:
        """The limits by kind: ms, bytes and counts."""
        found = {}
        for name, kind, read in (
            ("max_latency", LATENCY, latency_ms),
            ("max_memory", MEMORY, bytes_of),
            ("max_params", PARAMS, count),
            ("max_macs", MACS, count),
        ):
            given = getattr(self, name)
            if given is None:
                continue
            try:
                found[kind] = read(given)
            except UserError as error:
                raise UserError(f"`{name}`: {error}") from None
        return found

    def checks(self) -> Iterator[Check]:
        """Yield a check a limit. Raises UserError where the table does not cover the model."""
        table = table_of(self.table, self.at)
        table.check_setting(device=self.require_device)
        spec, _ = priced_spec(self.model, table, self.shapes)
        answer = table.predict(spec, extrapolate=self.extrapolate)
        source = printable(table.source)
        for kind, limit in self.limits.items():
            if kind == LATENCY:
                yield self._latency(answer, table, limit)
                continue
            value = _exact(kind, spec, table)
            outcome = outcome_of(value, value, limit)
            yield Check(printable(answer.model), kind, outcome, value, value, value, limit, source)

    def _latency(self, answer: Prediction, table: LatencyTable, limit: float) -> Check:
        return Check(
            printable(answer.model),
            LATENCY,
            outcome_of(answer.low_ms, answer.high_ms, limit),
            answer.ms,
            answer.low_ms,
            answer.high_ms,
            limit,
            printable(table.source),
            warnings=tuple(_warnings(answer, table)),
            remedy="measure the table with more sessions, or measure base against head",
            details={
                "setting": table.setting.as_dict(),
                "at": answer.at,
                "unstable_share": answer.unstable_share,
                "extrapolated": answer.extrapolated,
            },
        )


def _exact(kind: str, spec: Spec, table: LatencyTable) -> float:
    """Return what needs no measurement."""
    if kind == PARAMS:
        return float(spec.params)
    if kind == MACS:
        return float(spec.macs)
    if spec.family == "foreign":
        raise UserError(
            f"`max_memory`: the memory of {printable(spec.name)} is not known, for it is of no "
            "family; leave that limit away."
        )
    from ...models.peak_memory import peak_memory_bytes

    setting = table.setting
    return float(peak_memory_bytes(spec, setting.batch, _BYTES.get(setting.dtype, 4)))


def _warnings(answer: Prediction, table: LatencyTable) -> Iterator[str]:
    if math.isnan(answer.low_ms):
        yield "the table knows no interval for it"
    if answer.unstable_share >= UNSTABLE:
        yield (
            f"{answer.unstable_share:.0%} of it is read from unstable points, so it may be off by "
            "more than its interval says (vitprof table info --unstable lists them)"
        )
    if answer.extrapolated:
        yield f"extrapolated on {', '.join(answer.extrapolated)}: a guess, not a measurement"
    if answer.transferred_share:
        yield f"{answer.transferred_share:.0%} of it is transferred from other tables, not measured"
    if table.unfinished:
        yield f"{printable(table.source)} is unfinished: its measuring was interrupted"
