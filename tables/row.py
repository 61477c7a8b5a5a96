"""One row of a table: what a block, or a whole model, cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ..models import Block, Spec

Verdict = Literal["stable", "unstable", "failed", "partial", "imported", "transferred"]
Context = Literal["alone", "in_network", "in_model", "reference"]

VERDICTS: tuple[Verdict, ...] = (
    "stable",
    "unstable",
    "failed",
    "partial",
    "imported",
    "transferred",
)
# Of what is measured; READINGS marks those of a reference.
CONTEXTS: tuple[Context, ...] = ("alone", "in_network", "in_model")
READINGS: Context = "reference"
# Half-widths of 95 % intervals over standard deviations.
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Row:
    """A Measurement as it stands in the file; times are milliseconds for one run of the batch.

    `subject` is the Block measured, or the Spec of a whole model measured beside the blocks (what
    calibration is fitted on). `latency_ms` is the median over sessions of each session's median,
    `low_ms`..`high_ms` its 95 % interval. `session_ms` are the sessions' own raw medians, so that
    what a session's luck did stays visible, and `reference_ms` what the reference block took
    meanwhile: where there is a `reference`, latency_ms is of the medians corrected by it. A failed
    row has `error` and no times. Verdict "partial" marks one session of a point that still lacks
    others: it occurs only in an unfinished file. "imported" marks what another tool measured: it
    has no interval and no sessions. "transferred" marks what was not measured, but predicted from
    other tables and a few measured points (`tables/transfer`): it has an interval and no sessions.

    `exponent` tells how the row follows the reference: where that takes r times as long, this takes
    r**exponent times as long. A row of context "reference" holds readings of a reference in
    `session_ms`; it too occurs only in an unfinished file.

    `cores` is how many processor cores the process kept busy during the timed runs (CPU seconds of
    all threads over wall seconds; None where a device timed itself, and for runs too short to say).
    `effective_dtype` is the precision that the runtime says it computes in ("": it does not say),
    `delegated` the share of operators that its delegate runs (None: there is none).
    """

    subject: Block | Spec
    context: Context = "alone"
    verdict: Verdict = "stable"
    latency_ms: float = float("nan")
    low_ms: float = float("nan")
    high_ms: float = float("nan")
    min_ms: float = float("nan")
    p10_ms: float = float("nan")
    p90_ms: float = float("nan")
    p99_ms: float = float("nan")
    session_ms: tuple[float, ...] = field(default=())
    reference_ms: tuple[float, ...] = field(default=())
    samples: int = 0
    set_aside: int = 0
    error: str = ""
    measured_at: str = ""
    reference: Block | Spec | None = None
    exponent: float = 1.0
    cores: float | None = None
    effective_dtype: str = ""
    delegated: float | None = None

    def scaled(self, factor: float) -> Row:
        """Return the row with its latency and interval times a factor; sessions stay raw."""
        return replace(
            self,
            latency_ms=factor * self.latency_ms,
            low_ms=factor * self.low_ms,
            high_ms=factor * self.high_ms,
        )

    @property
    def sessions(self) -> int:
        return len(self.session_ms)

    @property
    def key(self) -> tuple[object, str]:
        """What no other row of the table may share."""
        return (self.subject, self.context)

    @property
    def name(self) -> str:
        """The block in words, or "model NAME"."""
        if isinstance(self.subject, Block):
            return str(self.subject)
        return f"model {self.subject.name}"

    @property
    def is_model(self) -> bool:
        return isinstance(self.subject, Spec)
