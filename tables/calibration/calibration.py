"""From blocks to a whole model: a line fitted on a few whole models.

A block measured alone finds its weights warm in cache; in a network it does not. It begins and ends
by itself, which the runtime joins with its neighbours where it can: a depthwise convolution costs a
third of what it costs alone. So the sum of lone blocks is off, by much the same for every model of
a space. A factor for each op, what every further block of an op costs by being one, what a weight
costs by being fetched, and a constant, fitted on a few whole models measured in the same run, take
it away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from ...models import Block
from ...models.checks import shown
from .student import student_quantile

# What is believed before any whole model was measured, so that eight noisy ones cannot tilt the
# fit far: one factor for all ops is 1 within some per cent, an op's own departs little from it, and
# what blocks add by their number (all alike, and each op's by itself), what weights add by theirs,
# and the constant, are small against a typical model.
PRIOR_FACTOR_SD = 0.10
PRIOR_OP_SD = 0.05
PRIOR_BLOCKS_SD = 0.04
PRIOR_OP_BLOCKS_SD = 0.05
PRIOR_WEIGHTS_SD = 0.05
PRIOR_OFFSET_SD = 0.02
# A whole model's relative error about the fit is believed to be what its measuring leaves (this
# where it is not known), as firmly as if so many models had shown it.
PRIOR_RESIDUAL_SD = 0.015
PRIOR_RESIDUAL_DOF = 6.0
FEWEST_MODELS = 3
MOST_OPS = 64


@dataclass(frozen=True)
class LoneBlocks:
    """A model as its blocks cost alone: each op's sum in ms, number of blocks, weights read."""

    sums_ms: Mapping[str, float]
    counts: Mapping[str, int]
    params: int

    @classmethod
    def of(cls, blocks: Iterable[tuple[Block, float]]) -> LoneBlocks:
        """Gather (block, ms) pairs."""
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        params = 0
        for block, ms in blocks:
            sums[block.op] = sums.get(block.op, 0.0) + ms
            counts[block.op] = counts.get(block.op, 0) + 1
            params += block.params_read
        return cls(sums, counts, params)


@dataclass(frozen=True)
class Calibration:
    """latency = Σ over blocks of (f(op) · its own + c(op) + w · weights read / 10⁶) + offset_ms.

    f are `factors`, c is `per_block_ms`, w is `per_mparam_ms`. And how sure that is: `residual_sd`
    is the relative standard deviation of a whole model about the fit and `dof` its degrees of
    freedom; `covariance` is that of f and then c in the order of `factors`, of w and of the offset.
    `held_out_mape` is the mean relative error of each model predicted by a fit on the others.
    """

    factors: Mapping[str, float]
    per_block_ms: Mapping[str, float]
    per_mparam_ms: float
    offset_ms: float
    models: int
    residual_sd: float
    dof: float
    covariance: Sequence[Sequence[float]]
    held_out_mape: float

    def factor(self, op: str) -> float:
        """Return an op's factor; the mean of all for an op that no fitted model had."""
        return self.factors.get(op, _mean(self.factors))

    def block_ms(self, op: str) -> float:
        """Return what a further block of an op adds; the mean of all for an op no model had."""
        return self.per_block_ms.get(op, _mean(self.per_block_ms))

    def in_place(self, block: Block, ms: float) -> float:
        """Return what a block adds to a whole model that takes `ms` alone; both in ms."""
        weights = self.per_mparam_ms * block.params_read / 1e6
        return self.factor(block.op) * ms + self.block_ms(block.op) + weights

    def latency(self, lone: LoneBlocks) -> float:
        """Return what a whole model takes, in ms."""
        scaled = sum(self.factor(op) * ms for op, ms in lone.sums_ms.items())
        blocks = sum(self.block_ms(op) * count for op, count in lone.counts.items())
        return scaled + blocks + self.per_mparam_ms * lone.params / 1e6 + self.offset_ms

    def half_width(self, lone: LoneBlocks, blocks_sd_ms: float = 0.0) -> float:
        """Return half the 95 % prediction interval of one model, in ms.

        The model's own scatter about the fit and the fit's uncertainty; or that of the blocks (the
        standard deviation of their sum) where it is larger: the scatter holds it already.
        """
        ms = self.latency(lone)
        direction = _features([lone], list(self.factors))[0] / ms
        fit = float(direction @ np.asarray(self.covariance) @ direction)
        variance = self.residual_sd**2 + fit
        wide = student_quantile(0.975, self.dof)
        return ms * wide * math.sqrt(max(variance, (blocks_sd_ms / ms) ** 2))

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values for the table's header."""
        return {
            "factors": dict(self.factors),
            "per_block_ms": dict(self.per_block_ms),
            "per_mparam_ms": self.per_mparam_ms,
            "offset_ms": self.offset_ms,
            "models": self.models,
            "residual_sd": self.residual_sd,
            "dof": self.dof,
            "covariance": [list(row) for row in self.covariance],
            "held_out_mape": self.held_out_mape,
        }

    @classmethod
    def from_dict(cls, values: object, where: str) -> Calibration | None:
        """Read a header's calibration; None where there is none. Raises UserError when damaged."""
        if values is None:
            return None
        remedy = "; fit it again with vitprof calibrate."
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

        def by_op(name: str) -> Mapping[str, object]:
            found = values.get(name)
            if not isinstance(found, Mapping) or not 0 < len(found) <= MOST_OPS:
                raise UserError(f"{where}: the calibration's {name} are {shown(found)}{remedy}")
            return found

        factors, blocks = by_op("factors"), by_op("per_block_ms")
        if list(factors) != list(blocks):
            raise UserError(
                f"{where}: the calibration's per_block_ms are of other ops than its factors{remedy}"
            )
        size = 2 * len(factors) + 2
        covariance = values.get("covariance")
        if (
            not isinstance(covariance, list)
            or len(covariance) != size
            or not all(isinstance(row, list) and len(row) == size for row in covariance)
        ):
            raise UserError(f"{where}: the calibration's covariance is not {size} x {size}{remedy}")
        return cls(
            {str(op): number("factor", factor, 1e-6) for op, factor in factors.items()},
            {str(op): number("per_block_ms", ms) for op, ms in blocks.items()},
            number("per_mparam_ms", values.get("per_mparam_ms")),
            number("offset_ms", values.get("offset_ms")),
            int(number("models", values.get("models"), 1)),
            number("residual_sd", values.get("residual_sd"), 0.0),
            number("dof", values.get("dof"), 1e-6),
            [[number("covariance", item) for item in row] for row in covariance],
            number("held_out_mape", values.get("held_out_mape"), 0.0),
        )


def header_of_calibrations(lines: Mapping[str, Calibration]) -> object:
    """Return what a table's header says of its lines: an object, a list of several, or None."""
    records = [{"family": family, **line.as_dict()} for family, line in lines.items()]
    return records[0] if len(records) == 1 else records or None


def calibrations_from_header(values: object, where: str) -> dict[str, Calibration]:
    """Read what `header_of_calibrations` wrote; raises UserError when damaged."""
    lines: dict[str, Calibration] = {}
    for record in values if isinstance(values, list) else [values]:
        line = Calibration.from_dict(record, where)
        if line is not None:
            family = record.get("family", "vit") if isinstance(record, Mapping) else "vit"
            lines[str(family)] = line
    return lines


def fit_calibration(
    models: Sequence[LoneBlocks],
    measured_ms: Sequence[float],
    noise_sd: float = PRIOR_RESIDUAL_SD,
) -> Calibration:
    """Fit on whole models: each one's lone blocks, and its measured latency.

    `noise_sd` is the relative standard deviation of a measured model about any line.
    A Bayesian linear regression of relative errors with the priors above (Bishop 2006, eq. 3.53
    and 3.54). Raises UserError for fewer than FEWEST_MODELS.
    """
    if len(models) < FEWEST_MODELS:
        raise UserError(
            f"a calibration needs at least {FEWEST_MODELS} whole models, and the table has "
            f"{len(models)}; measure more of them (8, say)."
        )
    ops = list(dict.fromkeys(op for model in models for op in model.sums_ms))
    measured = np.asarray(measured_ms, dtype=float)
    units = _units(models, measured, len(ops))
    noise = min(max(noise_sd, 1e-3), 0.1)  # a machine that never wavers would silence the prior
    features = _features(models, ops) * units / measured[:, None]
    mean, covariance = _posterior(features, noise)
    residuals = features @ mean - 1
    held_out = []
    for i in range(len(features)):
        others = np.arange(len(features)) != i
        held_out.append(abs(float(features[i] @ _posterior(features[others], noise)[0]) - 1))
    # The held-out errors, not the residuals: with few models the fit follows their noise.
    dof = PRIOR_RESIDUAL_DOF + len(features) / 2
    variance = PRIOR_RESIDUAL_DOF * noise**2 + sum(e**2 for e in held_out) / 2
    line = mean * units
    return Calibration(
        dict(zip(ops, line[: len(ops)].tolist(), strict=True)),
        dict(zip(ops, line[len(ops) : -2].tolist(), strict=True)),
        float(line[-2]),
        float(line[-1]),
        len(features),
        math.sqrt(max(variance, float(residuals @ residuals)) / dof),
        dof,
        (covariance * np.outer(units, units)).tolist(),
        float(np.mean(held_out)),
    )


def model_weights(
    models: Sequence[LoneBlocks],
    measured_ms: Sequence[float],
    predicted: Sequence[LoneBlocks],
    noise_sd: float = PRIOR_RESIDUAL_SD,
) -> np.ndarray:
    """Return how far predictions move with each measured model: `predicted` x `models`.

    Where a measured latency is off by a relative error e, the line fitted on all of them predicts a
    model off by weight · e (the gain of the Bayesian regression of `fit_calibration`).
    """
    ops = list(dict.fromkeys(op for model in models for op in model.sums_ms))
    measured = np.asarray(measured_ms, dtype=float)
    units = _units(models, measured, len(ops))
    features = _features(models, ops) * units / measured[:, None]
    sums = np.array([sum(model.sums_ms.values()) for model in predicted])
    wanted = _features(predicted, ops) * units / sums[:, None]
    return wanted @ _gain(features, noise_sd)


def _units(models: Sequence[LoneBlocks], measured: np.ndarray, ops: int) -> np.ndarray:
    """Return each parameter's unit: what it comes to in a typical model.

    That is 1 for a factor, and that model's latency for all that adds milliseconds.
    """
    scale = float(np.median(measured))
    blocks = max(float(np.median([sum(model.counts.values()) for model in models])), 1.0)
    mparams = max(float(np.median([model.params for model in models])) / 1e6, 1e-6)
    return np.array([1.0] * ops + [scale / blocks] * ops + [scale / mparams, scale])


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)


def _features(models: Sequence[LoneBlocks], ops: Sequence[str]) -> np.ndarray:
    """Return a row a model: each op's sum in ms, each op's blocks, 10⁶ params, 1."""
    return np.array(
        [
            [
                *(model.sums_ms.get(op, 0.0) for op in ops),
                *(model.counts.get(op, 0) for op in ops),
                model.params / 1e6,
                1.0,
            ]
            for model in models
        ]
    )


def _posterior(features: np.ndarray, noise_sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of all parameters, given features of relative error."""
    ops = features.shape[1] // 2 - 1
    prior_mean = np.array([1.0] * ops + [0.0] * (ops + 2))
    prior, gain = _prior(ops), _gain(features, noise_sd)
    mean = prior_mean + gain @ (1 - features @ prior_mean)
    covariance = prior - gain @ features @ prior
    return mean, (covariance + covariance.T) / 2


def _gain(features: np.ndarray, noise_sd: float) -> np.ndarray:
    """Return what a relative error of each measured model moves each parameter by."""
    prior = _prior(features.shape[1] // 2 - 1)
    noise = noise_sd**2 * np.eye(len(features))
    return prior @ features.T @ np.linalg.inv(features @ prior @ features.T + noise)


def _prior(ops: int) -> np.ndarray:
    """Return the covariance of what is believed of the parameters of so many ops."""
    prior = np.diag(
        [PRIOR_OP_SD**2] * ops
        + [PRIOR_OP_BLOCKS_SD**2] * ops
        + [PRIOR_WEIGHTS_SD**2, PRIOR_OFFSET_SD**2]
    )
    prior[:ops, :ops] += PRIOR_FACTOR_SD**2
    prior[ops : 2 * ops, ops : 2 * ops] += PRIOR_BLOCKS_SD**2
    return prior
