"""From the sum of blocks to a whole model: a line fitted on a few whole models.

A block measured alone finds its weights warm in cache; in a network it does not, and its
neighbours' activations and the runtime's own steps cost something too. So the sum of lone blocks
is off by some per cent, but by nearly the same per cent for every model of a space: a line
`a·sum + b` through a few whole models, measured in the same run, takes it away.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from ..models.checks import shown

# What is believed before any whole model was measured, so that eight noisy ones cannot tilt the
# line far: the factor is 1 within some per cent, the constant small against a typical model.
PRIOR_FACTOR_SD = 0.10
PRIOR_OFFSET_SD = 0.01
# A single whole model's relative error about the line, and how many models that belief is worth.
PRIOR_RESIDUAL_SD = 0.015
PRIOR_RESIDUAL_DOF = 4.0
FEWEST_MODELS = 3


@dataclass(frozen=True)
class Calibration:
    """latency = factor · sum + offset_ms, with what is known about its error.

    `residual_sd` is the relative standard deviation of a whole model about the line, `dof` its
    degrees of freedom; `covariance` that of (factor, offset / scale_ms), whose unit is
    `residual_sd` squared. `held_out_mape` is the mean relative error for each model of the fit
    predicted by a line fitted on the others.
    """

    factor: float
    offset_ms: float
    models: int
    residual_sd: float
    dof: float
    scale_ms: float
    covariance: tuple[float, float, float]
    held_out_mape: float

    def apply(self, sums_ms: np.ndarray | float) -> np.ndarray | float:
        """Return the latency for a sum of blocks, milliseconds both."""
        return self.factor * sums_ms + self.offset_ms

    def half_width(self, sum_ms: float, blocks_sd_ms: float = 0.0) -> float:
        """Return half the 95 % prediction interval for one model, in milliseconds.

        The model's own scatter about the line, the line's uncertainty, and that of the blocks
        (standard deviation of their sum) beyond what the scatter already holds.
        """
        from scipy.stats import t as student

        ms = float(self.apply(sum_ms))
        direction = np.array([sum_ms, self.scale_ms]) / ms
        ff, fo, oo = self.covariance
        line = float(direction @ np.array([[ff, fo], [fo, oo]]) @ direction)
        variance = self.residual_sd**2 * (1 + line)
        blocks = (self.factor * blocks_sd_ms / ms) ** 2
        wide = float(student.ppf(0.975, self.dof))
        return ms * wide * math.sqrt(max(variance, blocks))

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values for the table's header."""
        return {**asdict(self), "covariance": list(self.covariance)}

    @classmethod
    def from_dict(cls, values: object, where: str) -> Calibration | None:
        """Read a header's calibration; None where there is none. Raises UserError when damaged."""
        if values is None:
            return None
        if not isinstance(values, Mapping):
            raise UserError(f"{where}: the calibration is not an object; the file is damaged.")
        kept: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            value = values.get(name)
            items = value if name == "covariance" and isinstance(value, list) else [value]
            numbers = [
                float(item)
                for item in items
                if isinstance(item, (int, float))
                and not isinstance(item, bool)
                and abs(item) <= sys.float_info.max
            ]
            wanted = 3 if name == "covariance" else 1
            if len(numbers) != wanted:
                raise UserError(
                    f"{where}: the calibration's {name} is {shown(value)}; fit it anew with "
                    "vitprof calibrate."
                )
            kept[name] = tuple(numbers) if wanted == 3 else numbers[0]
        if kept["factor"] <= 0 or kept["dof"] <= 0 or kept["residual_sd"] < 0:
            raise UserError(
                f"{where}: the calibration is no sensible line; fit it anew with vitprof calibrate."
            )
        return cls(**{**kept, "models": int(kept["models"])})


def fit_calibration(sums_ms: Sequence[float], measured_ms: Sequence[float]) -> Calibration:
    """Fit the line on whole models: their sums of blocks and their measured latencies.

    Least squares of relative errors with the priors above (a Bayesian linear regression with a
    known scale; Bishop 2006, eq. 3.53-3.59). Raises UserError for fewer than FEWEST_MODELS.
    """
    sums, measured = np.asarray(sums_ms, dtype=float), np.asarray(measured_ms, dtype=float)
    if len(sums) < FEWEST_MODELS:
        raise UserError(
            f"a calibration needs at least {FEWEST_MODELS} whole models, and the table has "
            f"{len(sums)}; measure it with --models 8."
        )
    scale = float(np.median(measured))
    coefficients, inverse = _posterior(sums, measured, scale)
    residuals = (coefficients[0] * sums + coefficients[1] * scale) / measured - 1
    held_out = []
    for i in range(len(sums)):
        others = np.arange(len(sums)) != i
        (factor, offset), _ = _posterior(sums[others], measured[others], scale)
        held_out.append(abs((factor * sums[i] + offset * scale) / measured[i] - 1))
    dof = PRIOR_RESIDUAL_DOF + max(len(sums) - 2, 1)
    variance = (PRIOR_RESIDUAL_DOF * PRIOR_RESIDUAL_SD**2 + float(residuals @ residuals)) / dof
    return Calibration(
        float(coefficients[0]),
        float(coefficients[1] * scale),
        len(sums),
        math.sqrt(variance),
        dof,
        scale,
        (float(inverse[0, 0]), float(inverse[0, 1]), float(inverse[1, 1])),
        float(np.mean(held_out)),
    )


def _posterior(
    sums: np.ndarray, measured: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return (factor, offset / scale) and the inverse of their precision matrix."""
    features = np.stack([sums, np.full(len(sums), scale)], axis=1) / measured[:, None]
    prior = np.diag([1 / PRIOR_FACTOR_SD**2, 1 / PRIOR_OFFSET_SD**2]) * PRIOR_RESIDUAL_SD**2
    precision = features.T @ features + prior
    inverse = np.linalg.inv(precision)
    return inverse @ (features.T @ np.ones(len(sums)) + prior @ np.array([1.0, 0.0])), inverse
