"""How sure a mean over models is, whose distribution nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000


def interval_of_mean(values: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the values' mean (at least one value).

    The percentile bootstrap (Efron and Tibshirani 1993, section 13.3): the 2.5th and 97.5th
    percentiles of the means of 2000 samples with replacement.
    """
    known = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    picked = rng.integers(len(known), size=(RESAMPLES, len(known)))
    low, high = np.percentile(known[picked].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
