"""How far latencies of the same things on two devices agree: their order and their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Of n pairs of latencies a and b, both above 0; NaN is what so few of them do not tell.

    kendall_tau is tau-b (Kendall 1945), spearman_rho the correlation of ranks (Spearman 1904).
    `scale` is the geometric mean of the ratios b / a, `low`..`high` its 95 % interval (Student's t
    over logarithms of the ratios, as if pairs were drawn independently). `spread` is the factor by
    which a ratio typically lies off that: exp of the logarithms' standard deviation.
    """

    count: int
    kendall_tau: float
    spearman_rho: float
    scale: float
    low: float
    high: float
    spread: float

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray) -> Agreement:
        """Return the agreement of two equally long arrays of at least one latency."""
        from scipy import stats

        logs = np.log(b) - np.log(a)
        count, mean = len(logs), float(logs.mean())
        if count < 2:
            nan = math.nan
            return cls(count, nan, nan, math.exp(mean), nan, nan, nan)
        differ = bool(np.ptp(a) > 0 and np.ptp(b) > 0)
        sd = float(logs.std(ddof=1))
        half = float(stats.t.ppf(0.975, count - 1)) * sd / math.sqrt(count)
        return cls(
            count,
            float(stats.kendalltau(a, b).statistic) if differ else math.nan,
            float(stats.spearmanr(a, b).statistic) if differ else math.nan,
            math.exp(mean),
            math.exp(mean - half),
            math.exp(mean + half),
            math.exp(sd),
        )

    def report(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "blocks": self.count,
            "kendall_tau": self.kendall_tau,
            "spearman_rho": self.spearman_rho,
            "scale": self.scale,
            "scale_low": self.low,
            "scale_high": self.high,
            "spread": self.spread,
        }
