"""Ways to say what a subject takes on the undisturbed machine, from one session beside a reference.

Each is given the session's samples, the reading before each, what the reference takes undisturbed
and the subject's exponent; it returns milliseconds, or nan where it has nothing to go by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from vitprof.profiler.sampling.timed_run import Sample

Estimator = Callable[[Sequence[Sample], Sequence[float], float, float], float]

# A gated sample's reference is within so much of its undisturbed time.
GATE = 0.05


def raw_median(
    samples: Sequence[Sample], before_ms: Sequence[float], speed_ms: float, exponent: float
) -> float:
    return median(sample.wall_ms for sample in samples)


def minimum(
    samples: Sequence[Sample], before_ms: Sequence[float], speed_ms: float, exponent: float
) -> float:
    return min(sample.wall_ms for sample in samples)


def ratio_to_the_reading_before(
    samples: Sequence[Sample], before_ms: Sequence[float], speed_ms: float, exponent: float
) -> float:
    pairs = zip(samples, before_ms, strict=True)
    return median(sample.wall_ms * speed_ms / before for sample, before in pairs)


def interpolated_ratio(
    samples: Sequence[Sample], before_ms: Sequence[float], speed_ms: float, exponent: float
) -> float:
    return median(sample.wall_ms * speed_ms / sample.reference_ms for sample in samples)


def with_exponent(
    samples: Sequence[Sample], before_ms: Sequence[float], speed_ms: float, exponent: float
) -> float:
    """As a table's rows are corrected: a session's median ratio, then the exponent."""
    raw = raw_median(samples, before_ms, speed_ms, exponent)
    then_ms = raw / median(sample.wall_ms / sample.reference_ms for sample in samples)
    return raw * (speed_ms / then_ms) ** exponent


def gated(
    samples: Sequence[Sample], before_ms: Sequence[float], speed_ms: float, exponent: float
) -> float:
    calm = [s.wall_ms for s in samples if s.reference_ms <= (1 + GATE) * speed_ms]
    return median(calm) if calm else math.nan


ESTIMATORS: dict[str, Estimator] = {
    "raw median": raw_median,
    "minimum": minimum,
    "ratio to the reading before": ratio_to_the_reading_before,
    "interpolated ratio": interpolated_ratio,
    "with exponent": with_exponent,
    "gated": gated,
}
