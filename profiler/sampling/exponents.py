"""How rows follow their reference: one exponent for each kind of row.

Where a machine slows the reference by a factor r, it slows a block by r^b. Blocks have b near 1;
whole models, which take from memory what a block keeps in a cache, lie below it (0.83 to 0.94 were
seen). In a row's sessions ln(t) = a + b · ln(r) + noise, and both sides are noisy: ordinary least
squares would come out too low, so the slope is that of Deming (1943), with equal variances, and
sessions far from the line count less. It is drawn towards what other runs showed, firmly: a
correction to the undisturbed machine reaches beyond most of the readings, where a slope that is off
by 0.05 costs 1 to 2 %. For the same reason rows have no slope of their own: seven tables of one
machine, measured between undisturbed and 1.6 times as slow, differed by 2.0 % in their predictions
with b = 1, by 2.2 % with the slopes of each run alone, and by 1.4 % so. That is experience with the
ops of ViTs beside an MLP. Of other ops and families none is at hand, and they differ (1.7 was seen
for cascaded group attention), so there the run itself decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...tables import Row

# What is believed before a run: mean and standard deviation of the exponent.
PRIOR_OF_BLOCKS = (0.98, 0.03)
PRIOR_OF_MODELS = (0.93, 0.02)
EXPERIENCED = frozenset({"patch_embed", "attention", "mlp", "classifier", "model vit"})
PRIOR_OF_OTHERS = (1.0, 0.25)
# The slope's standard error is believed to be so many times what the scatter says: the sessions of
# a pass share the moment, and so their errors.
ERROR_INFLATION = 1.15
ROUNDS = 8


def with_exponents(
    rows: Mapping[object, Row], believed: Mapping[str, float] | None = None
) -> dict[object, Row]:
    """Return the rows, by the same keys, each with the exponent that its kind shows.

    `believed` are exponents by kind that were seen before, as `exponents_of` a table.
    """
    believed = believed or {}
    kinds: dict[tuple[str, object], list[object]] = {}
    for key, row in rows.items():
        if row.reference_ms and len(row.reference_ms) == len(row.session_ms):
            kinds.setdefault((kind_of(row), row.reference), []).append(key)
    found = dict(rows)
    for (kind, _), keys in kinds.items():
        exponent = round(exponent_of([rows[key] for key in keys], believed.get(kind)), 4)
        found |= {key: replace(rows[key], exponent=exponent) for key in keys}
    return found


def kind_of(row: Row) -> str:
    """Return which rows share an exponent: blocks of one op, whole models of one family."""
    subject = row.subject
    return f"model {subject.family}" if row.is_model else subject.op  # type: ignore[union-attr]


def exponents_of(rows: Iterable[Row]) -> dict[str, float]:
    """Return the mean exponent of each kind, of the rows that a reference has corrected."""
    kinds: dict[str, list[float]] = {}
    for row in rows:
        if row.reference_ms:
            kinds.setdefault(kind_of(row), []).append(row.exponent)
    return {kind: float(np.mean(exponents)) for kind, exponents in kinds.items()}


def exponent_of(rows: Sequence[Row], believed: float | None = None) -> float:
    """Return the exponent of rows of one kind: the posterior mean of their common slope.

    `believed` takes the place of the prior's mean.
    """
    mean, sd = _prior(rows[0])
    mean = mean if believed is None else believed
    t, r = _about_their_means(rows)
    slope, error = _slope(t, r)
    if error is None:
        return mean
    # Each row's means and the slope itself are taken from the same sessions.
    error *= (len(t) / max(len(t) - len(rows) - 1, 1)) ** 0.5
    weight, prior = 1 / (ERROR_INFLATION * error) ** 2, 1 / sd**2
    return (weight * slope + prior * mean) / (weight + prior)


def _prior(row: Row) -> tuple[float, float]:
    if kind_of(row) not in EXPERIENCED:
        return PRIOR_OF_OTHERS
    return PRIOR_OF_MODELS if row.is_model else PRIOR_OF_BLOCKS


def _about_their_means(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Return ln(t) and ln(r) of all sessions, less their means over each row."""
    t = [np.log(np.asarray(row.session_ms)) for row in rows]
    r = [np.log(np.asarray(row.reference_ms)) for row in rows]
    return (
        np.concatenate([one - one.mean() for one in t]),
        np.concatenate([one - one.mean() for one in r]),
    )


def _slope(t: np.ndarray, r: np.ndarray) -> tuple[float, float | None]:
    """Return Deming's slope of t over r and its standard error; None where nothing varies.

    Refined with weights 1 / (1 + (e / 3s)²) of the distances e from the line (Cauchy's).
    """
    weights = np.ones(len(t))
    slope, error = 1.0, None
    for _ in range(ROUNDS):
        rr, tt, rt = (float((weights * x * y).sum()) for x, y in ((r, r), (t, t), (r, t)))
        if rr < 1e-12 or rt <= 0:
            return 1.0, None
        half = (tt - rr) / 2
        slope = (half + (half**2 + rt**2) ** 0.5) / rt
        off = (t - slope * r) / (1 + slope**2) ** 0.5
        scale = max(1.4826 * float(np.median(np.abs(off))), 1e-4)
        weights = 1 / (1 + (off / (3 * scale)) ** 2)
        # Distances along t: on a calm machine only noise is left, the slope comes out steep, and
        # distances across a steep line are short.
        spread = (1 + slope**2) * float((weights * off**2).sum() / weights.sum())
        error = (max(spread, 1e-8) / rr) ** 0.5
    return slope, error
