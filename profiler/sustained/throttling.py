"""When a run without pause became slower for good: a change-point in its intervals' medians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

# Fewer intervals than that say nothing about a lasting change.
FEWEST_INTERVALS = 24
# Intervals that a rolling median is of.
WINDOW = 9
# Less than that above the fast level, or than NOISES times the noise of an interval, is none.
LEAST_RISE = 0.03
NOISES = 3.0
# The fast level to begin with: that share of the rolling medians is faster.
FASTEST_SHARE = 0.02
# The slow stretch is at least that share of the run and so many intervals, the fast one so many.
SLOW_SHARE, SLOW_INTERVALS, FAST_INTERVALS = 1 / 8, 10, 5
# Of the intervals of the slow stretch so many are slow, of those before it at most so many.
SLOW_AFTER, SLOW_BEFORE = 0.9, 0.25
# It is longer than so many times the longest slow stretch that ended by itself.
LONGER_THAN_BEFORE = 2.0
# The quarters of the second half differ by more than that: not settled.
SETTLED = 0.02


@dataclass(frozen=True)
class Throttling:
    """From interval `begins_at` on the latency lies above `fast_ms`, until the end of the run.

    `steady_ms` is the median of the second half of what follows; `settled` tells whether that half
    was level.
    """

    begins_at: int
    fast_ms: float
    steady_ms: float
    settled: bool

    @property
    def rise(self) -> float:
        """How far the steady level lies above the fast one, as a fraction."""
        return self.steady_ms / self.fast_ms - 1


def find_throttling(medians_ms: Sequence[float]) -> Throttling | None:
    """Return where the medians of equal intervals rise for good; None where they do not.

    An interval is slow if the rolling median around it lies above the fast level by more than
    LEAST_RISE and NOISES times the noise (1.4826 times the median absolute deviation from the
    rolling median). The change-point of these zeros and ones is where the cumulative sum of
    (slow - 1/2) is least: Page, "Continuous inspection schemes", Biometrika 41 (1954); Pettitt, "A
    simple cumulative sum type statistic for the change-point problem with zero-one observations",
    Biometrika 67 (1980). It counts as throttling if what follows is slow nearly throughout, what
    was before is not, and the slow stretch is longer than twice any that ended by itself: a machine
    whose speed wanders has many. As a slow rise passes the limit late, the beginning is where the
    rolling median was last within one noise of the fast level, the median of the fast intervals
    before.
    """
    if len(medians_ms) < FEWEST_INTERVALS:
        return None
    times = np.asarray(medians_ms, dtype=float)
    smooth = rolling_median(times)
    noise = 1.4826 * float(np.median(np.abs(times - smooth)))
    fastest = float(np.quantile(smooth, FASTEST_SHARE))
    slow = smooth > fastest + max(LEAST_RISE * fastest, NOISES * noise)
    change = _change_point(slow)
    if not _lasts(slow, change):
        return None
    fast_ms = float(np.median(times[:change][~slow[:change]]))
    half = times[(change + len(times)) // 2 :]
    steady_ms = float(np.median(half))
    if steady_ms < (1 + LEAST_RISE) * fast_ms:
        return None
    begins_at = 1 + max(np.flatnonzero(smooth[:change] <= fast_ms + noise), default=-1)
    quarters = np.median(half[: len(half) // 2]), np.median(half[len(half) // 2 :])
    settled = bool(abs(quarters[1] / quarters[0] - 1) <= SETTLED)
    return Throttling(int(begins_at), fast_ms, steady_ms, settled)


def rolling_median(values: Floats, window: int = WINDOW) -> Floats:
    """Return the median of the `window` (odd) values around each; the ends are repeated."""
    padded = np.pad(values, window // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)


def _change_point(slow: Flags) -> int:
    """Return the index from which on most are slow, while before it most are not."""
    return int(np.argmin(np.concatenate([[0.0], np.cumsum(slow - 0.5)])))


def _lasts(slow: Flags, change: int) -> bool:
    """Tell whether the slow stretch from `change` on is one of throttling."""
    before, after = slow[:change], slow[change:]
    if len(before) < FAST_INTERVALS or len(after) < max(SLOW_INTERVALS, SLOW_SHARE * len(slow)):
        return False
    return bool(
        before.mean() <= SLOW_BEFORE
        and after.mean() >= SLOW_AFTER
        and len(after) > LONGER_THAN_BEFORE * _longest(before)
    )


def _longest(flags: Flags) -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return int(max(edges[1::2] - edges[::2], default=0))
