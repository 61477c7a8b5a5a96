"""How far a table's predictions are expected to err, what dominates that, and what would help."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import UserError
from ..models import Spec
from .unrest import Unrest

if TYPE_CHECKING:
    from .row import Row
    from .table import LatencyTable

# What predictions may err by unless something else is accepted. Tables measured on a restless
# machine erred by up to 2.6 % on unseen models (docs/families.md) and held out: twice that is more
# than luck. A table whose models no line fits errs by 10 % and more.
ACCEPTED_ERROR = 0.05
# Below this no remedy is proposed: the best tables of a quiet machine err by 0.5 %.
GOOD_ERROR = 0.01
# More than half of the variance of held-out errors.
DOMINATING = 0.5
# Half a 95 % interval over the mean absolute error of the same normal distribution.
HALF_WIDTH_PER_MEAN_ERROR = 1.959964 / math.sqrt(2 / math.pi)
# Fewer whole models a family leave a line unsure.
FEW_MODELS = 8
# More sessions than this help little: what is left is not the luck of sessions.
MOST_SESSIONS = 15
# As many points of several sessions show a spread (as `pooled_session_sd` needs).
FEWEST_OF_SEVERAL = 4

Cause = Literal["sessions", "fit"]


@dataclass(frozen=True)
class Remedy:
    """What `measure` is to be given for a better table, and about how long that takes.

    `fresh`: everything has to be measured again, for a finished point gets no further sessions.
    """

    parameter: Literal["sessions", "time", "points", "whole_models"]
    value: int
    fresh: bool
    seconds: float | None = None


@dataclass(frozen=True)
class Assessment:
    """A verdict about a table's predictions.

    `by_family` are the mean relative errors of whole models, each predicted by a line fitted on the
    others, by family. Without any, `expected_error` is half the relative width of a block's 95 %
    interval, as the middling block has it; NaN where nobody knows it (another tool's rows).
    `cause` is what dominates it: the scatter of sessions, or what the line and the interpolation
    leave. `transferred` points were not measured but predicted from other tables: then
    `expected_error` is what their transfer leaves, where that is more. `session_sd` is how far
    sessions were seen to lie apart; None: intervals assume it.
    """

    expected_error: float
    by_family: Mapping[str, float]
    accept: float
    points: int
    unstable: int
    failed: int
    cause: Cause | None
    remedy: Remedy | None
    session_sd: float | None
    unrest: Unrest | None
    transferred: int = 0

    @property
    def is_usable(self) -> bool:
        """Whether no point failed, and predictions are expected to err no more than accepted."""
        return not self.failed and not self.expected_error > self.accept

    @property
    def verdict(self) -> str:
        if self.is_usable and math.isnan(self.expected_error):
            return "unknown"
        return "usable" if self.is_usable else "doubtful"

    @property
    def _of(self) -> str:
        if self.transferred:
            return "whole models, by the probes of a transfer"
        return "whole models, held out" if self.by_family else "blocks, half of an interval"

    def report(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "verdict": self.verdict,
            "expected_error": self.expected_error,
            "of": self._of,
            "by_family": dict(self.by_family),
            "accept": self.accept,
            "points": self.points,
            "unstable": self.unstable,
            "failed": self.failed,
            "transferred": self.transferred,
            "cause": self.cause,
            "remedy": asdict(self.remedy) if self.remedy else None,
            "session_sd": self.session_sd,
            "unrest": self.unrest.report() if self.unrest else None,
        }


def assess(table: LatencyTable, accept: float = ACCEPTED_ERROR) -> Assessment:
    """Return the verdict about a table; `accept` is what its predictions may err by, a fraction."""
    by_family = {family: line.held_out_mape for family, line in table.calibrations.items()}
    error = max(by_family.values()) if by_family else _of_blocks(table)
    verdicts = [row.verdict for row in table.rows]
    transfer = table.header.transfer if "transferred" in verdicts else None
    if transfer is not None:
        error = max(*by_family.values(), float(transfer["expected_error"]), 0.0)
    cause = None if transfer is not None else _cause(table, by_family)
    unstable = verdicts.count("unstable")
    good = error <= GOOD_ERROR and not unstable
    return Assessment(
        error,
        by_family,
        accept,
        len(verdicts),
        unstable,
        verdicts.count("failed"),
        cause,
        None if good or cause is None else _remedy(table, cause),
        _seen_session_sd(table),
        Unrest.of(table.header),
        verdicts.count("transferred"),
    )


def _of_blocks(table: LatencyTable) -> float:
    known = [_half(row) for row in table.block_rows if row.verdict != "failed"]
    known = [half for half in known if not math.isnan(half)]
    return float(np.median(known)) if known else math.nan


def _half(row: Row) -> float:
    """Return half the row's 95 % interval, relative to its latency."""
    return (row.high_ms - row.low_ms) / 2 / row.latency_ms


def _cause(table: LatencyTable, by_family: Mapping[str, float]) -> Cause | None:
    """Return what dominates the error of the family that errs most."""
    if table.header.imported:
        return None
    if not by_family:
        return "sessions"
    worst = max(by_family, key=lambda family: by_family[family])
    of_sessions = [
        found
        for row in table.model_rows
        if isinstance(row.subject, Spec) and row.subject.family == worst
        if (found := _error_of_sessions(table, row)) is not None
    ]
    if not of_sessions:
        return "fit"
    noise = float(np.mean(of_sessions))
    return "sessions" if noise**2 > DOMINATING * by_family[worst] ** 2 else "fit"


def _error_of_sessions(table: LatencyTable, row: Row) -> float | None:
    """Return the mean error that a measured model and its blocks have by their intervals."""
    if row.verdict == "failed" or not isinstance(row.subject, Spec):
        return None
    try:
        lone = table.predict(row.subject, calibrated=False)
    except UserError:
        return None
    half = math.hypot(_half(row), (lone.high_ms - lone.low_ms) / 2 / lone.ms)
    return None if math.isnan(half) else half / HALF_WIDTH_PER_MEAN_ERROR


def _remedy(table: LatencyTable, cause: Cause) -> Remedy | None:
    total = (table.header.seconds or {}).get("total")
    blocks = len(table.block_rows)
    if cause == "sessions":
        return _more_sessions(table, total)
    if len(table.model_rows) < FEW_MODELS * len(table.calibrations):
        return Remedy("whole_models", FEW_MODELS, False)
    more = max(round(blocks / 40) * 10, 10)
    return Remedy("points", blocks + more, False, total and total * more / len(table.rows))


def _more_sessions(table: LatencyTable, total_s: float | None) -> Remedy | None:
    measured = [row.sessions for row in table.block_rows if row.sessions]
    have = max(round(float(np.median(measured))), 1) if measured else 1
    planned = table.protocol.get("sessions")
    if isinstance(planned, int) and planned > have and total_s:  # `time` was over before
        needed = total_s * planned / have
        return Remedy("time", round(needed), True, needed)
    wanted = min(max(2 * have - 1, 3), MOST_SESSIONS)
    if wanted <= have:
        return None
    return Remedy("sessions", wanted, True, total_s and total_s * wanted / have)


def _seen_session_sd(table: LatencyTable) -> float | None:
    """Return the header's spread; None where too few rows have two sessions to have shown it.

    Tables of earlier versions hold an assumed one there.
    """
    reference = table.references.blocks
    several: Sequence[Row] = [
        row
        for row in table.rows
        if row.reference == reference and row.sessions > 1 and row.verdict != "failed"
    ]
    return table.header.session_sd if len(several) >= FEWEST_OF_SEVERAL else None
