"""How good a deployment is by what was measured of it, and whether it keeps the limits.

score = accuracy (%) - 0.1 · latency - memory (GB): Efficient Vision Transformers: Once-Train
Optimization, section III.D.4. There latencies are of 10,000 test images, in seconds, and so they
are here: at one image a run, ten times the milliseconds of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..problem import Evaluation

IMAGES = 10_000
GB = 1e9


@dataclass(frozen=True)
class Measured:
    """What was measured of a deployment. accuracy: from 0 to 1; latency_ms: of one image.

    memory_bytes: peak resident set of the process; cpu_percent: of one core, while it runs.
    """

    accuracy: float
    latency_ms: float
    memory_bytes: float
    cpu_percent: float

    @property
    def test_s(self) -> float:
        """Seconds that IMAGES take."""
        return self.latency_ms * IMAGES / 1e3


@dataclass(frozen=True)
class Score:
    """The weights of the score: points for a second over IMAGES, and for a GB."""

    latency: float = 0.1
    memory: float = 1.0

    def of(self, measured: Measured) -> float:
        """Return the score in points; more is better."""
        return (
            100 * measured.accuracy
            - self.latency * measured.test_s
            - self.memory * measured.memory_bytes / GB
        )


@dataclass(frozen=True)
class MeasuredLimits:
    """At most so much of what is measured, None for no limit; accuracy is at least so much."""

    latency_ms: float | None = None
    memory_bytes: float | None = None
    cpu_percent: float | None = None
    accuracy: float | None = None

    def excess(self, measured: Measured) -> Mapping[str, float]:
        """Return by what share of it each limit that is not kept is exceeded."""
        found = {}
        for name in ("latency_ms", "memory_bytes", "cpu_percent"):
            most, value = getattr(self, name), getattr(measured, name)
            if most is not None and value > most:
                found[name] = value / most - 1
        if self.accuracy is not None and measured.accuracy < self.accuracy:
            found["accuracy"] = 1 - measured.accuracy / self.accuracy
        return found


def evaluated(measured: Measured, score: Score, limits: MeasuredLimits) -> Evaluation:
    """Return the score, and by what share the worst limit is exceeded."""
    return Evaluation(score.of(measured), max(limits.excess(measured).values(), default=0.0))
