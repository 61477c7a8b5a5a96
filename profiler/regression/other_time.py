"""A ratio of two measurements at different times, through a reference that was run beside both.

Nothing is paired here, and the machine may have another speed now. Each session's latency over the
reference's of that moment takes most of that away; what is left is in the interval:

- sessions: Welch's interval of a difference of two means of ln(latency / reference).
- the reference: each time one session of it was open throughout, lucky or not.
- the machine: a model does not follow its speed exactly as the reference does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST_SESSIONS = 3
# Of the reference's session, the middling one of 15 that differ by 1.5 %.
REFERENCE_SD = 0.005
# How far the exponents are from 1 with which models follow the reference: 0.85 to 1.05 were seen.
MOST_EXPONENT_ERROR = 0.15


@dataclass(frozen=True)
class Sessions:
    """A model's sessions at one time: their medians and the reference's beside each, in ms."""

    ms: Sequence[float]
    reference_ms: Sequence[float]

    @property
    def logs(self) -> np.ndarray:
        return np.log(np.asarray(self.ms) / np.asarray(self.reference_ms))


def change_since(base: Sessions, head: Sessions) -> tuple[float, float, float]:
    """Return how much slower head is than base, a fraction, with its 95 % interval.

    Both have FEWEST_SESSIONS at least.
    """
    from scipy.special import stdtrit

    difference = float(np.mean(head.logs) - np.mean(base.logs))
    parts = [float(np.var(one.logs, ddof=1)) / len(one.logs) for one in (base, head)]
    variance = sum(parts)
    freedom = min(len(base.logs), len(head.logs)) - 1.0
    if variance > 0:
        counts = (len(base.logs), len(head.logs))
        below = sum(part**2 / (n - 1) for part, n in zip(parts, counts, strict=True))
        freedom = variance**2 / below
    student = float(stdtrit(freedom, 0.975))
    error = math.hypot(student * math.sqrt(variance), 1.96 * math.sqrt(2) * REFERENCE_SD)
    moved = math.log(float(np.median(head.reference_ms)) / float(np.median(base.reference_ms)))
    error += MOST_EXPONENT_ERROR * abs(moved)
    low, high = difference - error, difference + error
    return math.expm1(difference), math.expm1(low), math.expm1(high)
