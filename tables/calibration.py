"""From blocks to a whole model: a line fitted on a few whole models.

A block measured alone finds its weights warm in cache; in a network it does not, and the
runtime's own steps cost something too. So the sum of lone blocks is off by some per cent: by much
the same for every model of a space, though not for every op (attention loses more than an MLP). A
factor for each op and a constant, fitted on a few whole models measured in the same run, take it
away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from ..models.checks import shown

# What is believed before any whole model was measured, so that eight noisy ones cannot tilt the
# fit far: one factor for all ops is 1 within some per cent, an op's own departs little from it, and
# the constant is small against a typical model.
PRIOR_FACTOR_SD = 0.10
PRIOR_OP_SD = 0.05
PRIOR_OFFSET_SD = 0.02
# A single whole model's relative error about the fit, and how many models that belief is worth.
PRIOR_RESIDUAL_SD = 0.015
PRIOR_RESIDUAL_DOF = 6.0
FEWEST_MODELS = 3
MOST_OPS = 64


@dataclass(frozen=True)
class Calibration:
    """latency = Σ over ops of factor · sum of its blocks, + offset_ms; and how sure that is.

    `residual_sd` is the relative standard deviation of a whole model about the fit and `dof` its
    degrees of freedom. `covariance` is that of the factors, in the order of `factors`, and of
    offset_ms / scale_ms. `held_out_mape` is the mean relative error of each model predicted by a
    fit on the others.
    """

    factors: Mapping[str, float]
    offset_ms: float
    models: int
    residual_sd: float
    dof: float
    scale_ms: float
    covariance: Sequence[Sequence[float]]
    held_out_mape: float

    def factor(self, op: str) -> float:
        """Return an op's factor; the mean of all for an op that no fitted model had."""
        return self.factors.get(op, sum(self.factors.values()) / len(self.factors))

    def half_width(self, sums_ms: Mapping[str, float], blocks_sd_ms: float = 0.0) -> float:
        """Return half the 95 % prediction interval of one model, in ms, from its ops' sums.

        The model's own scatter about the fit and the fit's uncertainty; or that of the blocks (the
        standard deviation of their sum) where it is larger: the scatter holds it already.
        """
        from scipy.stats import t as student

        ms = sum(self.factor(op) * total for op, total in sums_ms.items()) + self.offset_ms
        direction = np.array([*(sums_ms.get(op, 0.0) for op in self.factors), self.scale_ms]) / ms
        fit = float(direction @ np.asarray(self.covariance) @ direction)
        variance = self.residual_sd**2 + fit
        wide = float(student.ppf(0.975, self.dof))
        return ms * wide * math.sqrt(max(variance, (blocks_sd_ms / ms) ** 2))

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values for the table's header."""
        return {
            "factors": dict(self.factors),
            "offset_ms": self.offset_ms,
            "models": self.models,
            "residual_sd": self.residual_sd,
            "dof": self.dof,
            "scale_ms": self.scale_ms,
            "covariance": [list(row) for row in self.covariance],
            "held_out_mape": self.held_out_mape,
        }

    @classmethod
    def from_dict(cls, values: object, where: str) -> Calibration | None:
        """Read a header's calibration; None where there is none. Raises UserError when damaged."""
        if values is None:
            return None
        remedy = "; fit it anew with vitprof calibrate."
        if not isinstance(values, Mapping):
            raise UserError(f"{where}: the calibration is not an object{remedy}")

        def number(name: str, value: object, least: float = -math.inf) -> float:
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                try:
                    found = float(value)
                except OverflowError:
                    found = math.inf
                if math.isfinite(found) and found >= least:
                    return found
            raise UserError(f"{where}: the calibration's {name} is {shown(value)}{remedy}")

        factors = values.get("factors")
        if not isinstance(factors, Mapping) or not 0 < len(factors) <= MOST_OPS:
            raise UserError(f"{where}: the calibration's factors are {shown(factors)}{remedy}")
        size = len(factors) + 1
        covariance = values.get("covariance")
        if (
            not isinstance(covariance, list)
            or len(covariance) != size
            or not all(isinstance(row, list) and len(row) == size for row in covariance)
        ):
            raise UserError(f"{where}: the calibration's covariance is not {size} x {size}{remedy}")
        return cls(
            {str(op): number("factor", factor, 1e-6) for op, factor in factors.items()},
            number("offset_ms", values.get("offset_ms")),
            int(number("models", values.get("models"), 1)),
            number("residual_sd", values.get("residual_sd"), 0.0),
            number("dof", values.get("dof"), 1e-6),
            number("scale_ms", values.get("scale_ms"), 1e-12),
            [[number("covariance", item) for item in row] for row in covariance],
            number("held_out_mape", values.get("held_out_mape"), 0.0),
        )


def fit_calibration(
    sums_ms: Sequence[Mapping[str, float]], measured_ms: Sequence[float]
) -> Calibration:
    """Fit on whole models: each one's sums of blocks by op, and its measured latency.

    A Bayesian linear regression of relative errors with the priors above (Bishop 2006, eq. 3.53
    and 3.54). Raises UserError for fewer than FEWEST_MODELS.
    """
    if len(sums_ms) < FEWEST_MODELS:
        raise UserError(
            f"a calibration needs at least {FEWEST_MODELS} whole models, and the table has "
            f"{len(sums_ms)}; measure it with --models 8."
        )
    ops = list(dict.fromkeys(op for sums in sums_ms for op in sums))
    measured = np.asarray(measured_ms, dtype=float)
    scale = float(np.median(measured))
    features = np.array([[*(sums.get(op, 0.0) for op in ops), scale] for sums in sums_ms])
    features /= measured[:, None]
    mean, covariance = _posterior(features)
    residuals = features @ mean - 1
    held_out = []
    for i in range(len(features)):
        others = np.arange(len(features)) != i
        held_out.append(abs(float(features[i] @ _posterior(features[others])[0]) - 1))
    # The held-out errors, not the residuals: with few models the fit follows their noise.
    dof = PRIOR_RESIDUAL_DOF + len(features) / 2
    variance = PRIOR_RESIDUAL_DOF * PRIOR_RESIDUAL_SD**2 + sum(e**2 for e in held_out) / 2
    return Calibration(
        {op: float(factor) for op, factor in zip(ops, mean, strict=False)},
        float(mean[-1] * scale),
        len(features),
        math.sqrt(max(variance, float(residuals @ residuals)) / dof),
        dof,
        scale,
        covariance.tolist(),
        float(np.mean(held_out)),
    )


def _posterior(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of (factors, offset / scale), given features of relative error."""
    ops = features.shape[1] - 1
    prior_mean = np.append(np.ones(ops), 0.0)
    prior = np.zeros((ops + 1, ops + 1))
    prior[:ops, :ops] = PRIOR_FACTOR_SD**2 + PRIOR_OP_SD**2 * np.eye(ops)
    prior[ops, ops] = PRIOR_OFFSET_SD**2
    noise = PRIOR_RESIDUAL_SD**2 * np.eye(len(features))
    gain = prior @ features.T @ np.linalg.inv(features @ prior @ features.T + noise)
    mean = prior_mean + gain @ (1 - features @ prior_mean)
    covariance = prior - gain @ features @ prior
    return mean, (covariance + covariance.T) / 2
