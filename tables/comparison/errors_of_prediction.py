"""How wrong predictions are, in the six numbers that `vitprof validate` reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from .comparison import kendall_tau

# 1.05 / 1 - 1 is a little above 0.05.
ROUNDING = 1e-12


@dataclass(frozen=True)
class PredictionErrors:
    """Errors of predictions relative to what was measured; all but tau are fractions.

    `mape` is the mean of |predicted / measured - 1|, `bias` the mean of predicted / measured - 1,
    `worst` the largest |...|, `within_5` and `within_10` the shares of models off by at most 5 and
    10 %, `kendall_tau` the rank correlation (tau-b) of predicted and measured.
    """

    mape: float
    bias: float
    worst: float
    within_5: float
    within_10: float
    kendall_tau: float

    @classmethod
    def of(
        cls, predicted: Sequence[float] | np.ndarray, measured: Sequence[float] | np.ndarray
    ) -> PredictionErrors:
        """Compare predictions with measurements, milliseconds both, one of each a model."""
        errors = np.asarray(predicted, dtype=float) / np.asarray(measured, dtype=float) - 1
        size = np.abs(errors)
        return cls(
            float(size.mean()),
            float(errors.mean()),
            float(size.max()),
            float((size <= 0.05 + ROUNDING).mean()),
            float((size <= 0.10 + ROUNDING).mean()),
            kendall_tau(list(predicted), list(measured)),
        )

    def as_dict(self) -> dict[str, float]:
        return asdict(self)
