"""One limit, and what was found of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...profiler.regression.outcome import Outcome

LATENCY, MEMORY, PARAMS, MACS, REGRESSION = "latency", "memory", "params", "macs", "regression"
_MEBI = 2**20
# What an outcome is called: of a model that is measured against another, and of a prediction.
_MEASURED = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "regressed",
    Outcome.UNDECIDED: "too noisy to say",
}
_PREDICTED = _MEASURED | {
    Outcome.FAILED: "over the limit",
    Outcome.UNDECIDED: "too uncertain to say",
}


@dataclass(frozen=True)
class Check:
    """A limit of one model: `kind` says of what, and in which unit the numbers are.

    latency: ms; memory: bytes; params, macs: a count; regression: a fraction, 0.05 is 5 % slower.
    `low` and `high` are the 95 % interval, NaN or infinite where it is not known. `against` is the
    base of a regression, or the table. `warnings` are what makes it doubtful; `remedy` is what to
    do where it is undecided; `details` are further figures for JSON.
    """

    model: str
    kind: str
    outcome: Outcome
    value: float
    low: float
    high: float
    limit: float
    against: str
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    remedy: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what is checked: "deit-tiny: latency"."""
        against = f" against {self.against}" if self.kind == REGRESSION else ""
        return f"{self.model}: {self.kind}{against}"

    @property
    def verdict(self) -> str:
        """The outcome in words: "regressed", "over the limit", "too noisy to say" …"""
        return (_MEASURED if self.kind == REGRESSION else _PREDICTED)[self.outcome]

    @property
    def found(self) -> str:
        """The value in words: "9.81 ms", "+6.9 %"."""
        return self.in_words(self.value)

    @property
    def interval(self) -> str:
        """The interval in words; "" for an exact figure, "unknown" where nobody knows it."""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "unknown"
        if self.low == self.high:
            return ""
        return f"{self.in_words(self.low)} .. {self.in_words(self.high)}"

    @property
    def at_most(self) -> str:
        """The limit in words."""
        return self.in_words(self.limit)

    def in_words(self, value: float) -> str:
        """Return a number of this kind with its unit; "unknown" for none."""
        if not math.isfinite(value):
            return "unknown"
        if self.kind == REGRESSION:
            return f"{100 * value:+.2f} %"
        if self.kind == LATENCY:
            return f"{value:.4g} ms"
        if self.kind == MEMORY:
            return f"{value / _MEBI:.4g} MiB"
        for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if value >= factor:
                return f"{value / factor:.4g} {prefix}"
        return f"{value:.4g}"

    @property
    def remedy_needed(self) -> bool:
        """Whether there is something to say of what to do."""
        return bool(self.remedy) and self.outcome is Outcome.UNDECIDED

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        interval = f" [{self.interval}]" if self.interval else ""
        remedy = f"; {self.remedy}" if self.remedy_needed else ""
        return (
            f"{self.name} is {self.found}{interval}, limit {self.at_most}: {self.verdict}{remedy}"
        )

    def report(self) -> dict[str, Any]:
        """Return JSON values; numbers in the kind's unit."""
        return {
            "model": self.model,
            "kind": self.kind,
            "against": self.against,
            "outcome": str(self.outcome),
            "verdict": self.verdict,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "limit": self.limit,
            "seconds": self.seconds,
            "warnings": list(self.warnings),
            "remedy": self.remedy if self.remedy_needed else "",
            **self.details,
        }
