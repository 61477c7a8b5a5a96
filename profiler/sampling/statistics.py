"""From samples to a Measurement: medians, and an interval that knows a session's luck.

Two sources of error stand behind a latency. Within one session, samples scatter; more of them
help. Between sessions of the very same model, medians differ by 1-3 % (where the runtime's memory
happens to lie): only further sessions help. With three sessions one point's own spread says little
(two degrees of freedom), so it is shrunk towards the spread that all points of the run share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...tables.references import PRIOR_SESSION_SD
from ...tables.row import NORMAL_95

# How many degrees of freedom the shared spread counts for against a point's own.
SHRINKAGE_DOF = 6.0
# The fewest points of several sessions whose common spread says something.
FEWEST_POINTS = 4


@dataclass(frozen=True)
class SessionSummary:
    """The result of one session of a point, in milliseconds."""

    median_ms: float
    min_ms: float
    p10_ms: float
    p90_ms: float
    p99_ms: float
    samples: int
    set_aside: int


def summarise_session(kept_ms: Sequence[float], set_aside: int) -> SessionSummary:
    """Summarise the kept samples (milliseconds, at least one) of one session."""
    values = np.asarray(kept_ms, dtype=float)
    p10, median, p90, p99 = np.percentile(values, [10, 50, 90, 99])
    return SessionSummary(
        float(median),
        float(values.min()),
        float(p10),
        float(p90),
        float(p99),
        len(values),
        set_aside,
    )


def median_variance_factor(n: int) -> float:
    """Return Var(median of n) / Var(one) for normal samples.

    pi / (2 (n + pi/2 - 1)): exact for n = 1, 2 % low at n = 3, asymptotically right.
    """
    return math.pi / (2 * (n + math.pi / 2 - 1))


def relative_session_variance(medians: Sequence[float]) -> tuple[float, int]:
    """Return the variance of ln(median) between sessions and its degrees of freedom."""
    if len(medians) < 2:
        return 0.0, 0
    logs = np.log(np.asarray(medians, dtype=float))
    return float(logs.var(ddof=1)), len(medians) - 1


def pooled_session_sd(points: Sequence[Sequence[float]]) -> float | None:
    """Return the relative standard deviation between sessions that all points share.

    The median over points of each point's variance, scaled to be unbiased for normal noise, so
    that a few points disturbed throughout do not widen everybody's interval. Points of one session
    say nothing; with fewer than FEWEST_POINTS others it is None: not seen.
    """
    variances, dofs = [], []
    for medians in points:
        variance, dof = relative_session_variance(medians)
        if dof:
            variances.append(variance)
            dofs.append(dof)
    if len(variances) < FEWEST_POINTS:
        return None
    # The median of a chi-squared of k degrees is about k (1 - 2/(9k))^3 (Wilson-Hilferty).
    typical_dof = float(np.median(dofs))
    unbiased = (1 - 2 / (9 * typical_dof)) ** 3
    return math.sqrt(float(np.median(variances)) / unbiased)


def latency_interval(
    session_medians: Sequence[float], shared_sd: float | None = None, common_sd: float = 0.0
) -> tuple[float, float, float]:
    """Return (latency, low, high): the median of the sessions' medians and its 95 % interval.

    The variance between sessions is the point's own shrunk towards `shared_sd`² (relative),
    weighted by degrees of freedom; the interval is that of a median of n, symmetric in ln.
    `shared_sd` None stands for PRIOR_SESSION_SD. What all sessions have in common, and more of them
    do not lower, is `common_sd` (relative).
    """
    shared_sd = PRIOR_SESSION_SD if shared_sd is None else shared_sd
    latency = float(np.median(session_medians))
    own, dof = relative_session_variance(session_medians)
    variance = (SHRINKAGE_DOF * shared_sd**2 + dof * own) / (SHRINKAGE_DOF + dof)
    of_median = variance * median_variance_factor(len(session_medians))
    spread = NORMAL_95 * math.sqrt(of_median + common_sd**2)
    return latency, latency * math.exp(-spread), latency * math.exp(spread)
