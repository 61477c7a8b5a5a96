"""From some models' timings on a phone and all of them on other phones: the others' there."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from .belief import Belief, Learned
from .timings import Timings

# What timing a model on a phone again shows is 1-2 % (a relative standard deviation).
TIMING_SD = 0.02
# The phone's speed, and how it departs from others: fewer say nothing.
FEWEST_ANCHORS = 3
FEWEST_MODELS = 4
# A source's gaps are predicted from the others, by so many directions in which they differ.
DIRECTIONS = 6
PASSES = 50


@dataclass(frozen=True)
class Departures:
    """How a phone departs from others, beside the ways in which these differ.

    Standard deviations of log latency: of models of one family (the first word of their names), of
    models of like size, and of a model by itself.
    """

    family_sd: float = 0.05
    size_sd: float = 0.05
    model_sd: float = 0.02


USUAL = Departures()


@dataclass(frozen=True)
class TimedModel:
    """A model on the phone: ms with a 95 % interval; as timed, or transferred."""

    model: str
    ms: float
    low_ms: float
    high_ms: float
    transferred: bool


def anchors(timings: Timings, count: int, timed: Sequence[str] = ()) -> list[str]:
    """Return the models most worth timing on a new phone, the most telling one first.

    `timed` are those that are timed already. Raises UserError for fewer than FEWEST_ANCHORS in all.
    """
    _check_enough(count + len(timed))
    belief = belief_of_models(timings)
    every = range(len(timings.models))
    position = {name: n for n, name in enumerate(timings.models)}
    before = [position[name] for name in timed if name in position]
    noise = np.full(len(timings.models), TIMING_SD)
    return [timings.models[n] for n in belief.choose(count, every, every, noise, before)]


def predict_models(timings: Timings, timed_ms: np.ndarray) -> tuple[list[TimedModel], Learned]:
    """Return every model on a phone of which `timed_ms` (m,) are known (NaN: not timed).

    Raises UserError where too few models are timed, or no other is left to predict.
    """
    known = np.flatnonzero(~np.isnan(timed_ms))
    _check_enough(len(known))
    belief = belief_of_models(timings)
    learned = belief.given(known, np.log(timed_ms[known]), np.full(len(known), TIMING_SD))
    found = []
    for n, model in enumerate(timings.models):
        is_timed = not math.isnan(timed_ms[n])
        middle = math.log(timed_ms[n]) if is_timed else float(learned.mean[n])
        half = 1.96 * TIMING_SD if is_timed else float(learned.half_width[n])
        low, high = math.exp(middle - half), math.exp(middle + half)
        found.append(TimedModel(model, math.exp(middle), low, high, not is_timed))
    return found, learned


def belief_of_models(timings: Timings, departures: Departures = USUAL) -> Belief:
    """Return what is believed of a new phone's latencies by those of others."""
    if len(timings.models) < FEWEST_MODELS or not timings.settings:
        raise UserError(
            f"{timings.source} has {len(timings.models)} models on {len(timings.settings)} "
            f"settings of other phones; transfer needs {FEWEST_MODELS} models and one setting."
        )
    logs = _without_gaps(np.log(timings.ms), timings)
    mean = logs.mean(axis=1)
    apart = logs - mean[:, None]
    apart -= apart.mean(axis=0)
    families = departures.family_sd * _families(timings.models)
    other = np.concatenate([families, departures.size_sd * _sizes(timings)], axis=1)
    own = np.full(len(mean), departures.model_sd)
    return Belief(mean, apart / math.sqrt(logs.shape[1]), other, own)


def _check_enough(count: int) -> None:
    if count < FEWEST_ANCHORS:
        raise UserError(
            f"{count} timed models are fewer than the {FEWEST_ANCHORS} unknowns (a phone's speed, "
            f"and how it departs from others); time {FEWEST_ANCHORS} or more: 10 are good."
        )


def _families(models: Sequence[str]) -> np.ndarray:
    """Return (m, families) 1 where a model is of a family: the first word of its name."""
    words = np.array([re.split(r"[-_./\s]", model.lower())[0] for model in models])
    kinds = np.array(list(dict.fromkeys(words.tolist())))
    return (words[:, None] == kinds[None, :]).astype(float)


def _sizes(timings: Timings) -> np.ndarray:
    """Return features whose products are e^(-distance² / 2), of standardised log sizes."""
    columns = [np.log(size) for size in timings.sizes.values() if np.isfinite(size).all()]
    columns = [column for column in columns if column.std() > 0]
    if not columns:
        return np.zeros((len(timings.models), 0))
    places = np.stack([(column - column.mean()) / column.std() for column in columns], axis=1)
    squares = ((places[:, None, :] - places[None, :, :]) ** 2).sum(axis=-1)
    values, vectors = np.linalg.eigh(np.exp(-squares / 2))
    kept = values > 1e-9 * values.max()
    return vectors[:, kept] * np.sqrt(values[kept])


def _without_gaps(logs: np.ndarray, timings: Timings) -> np.ndarray:
    """Return log latencies with gaps filled by the directions in which settings differ most.

    Row means and column means first, then truncated singular values again and again (Mazumder et
    al. 2010). Raises UserError for a model that no setting timed.
    """
    gaps = np.isnan(logs)
    if gaps.all(axis=1).any():
        model = timings.models[int(np.flatnonzero(gaps.all(axis=1))[0])]
        raise UserError(f"{timings.source}: no other phone timed {model}; remove it.")
    kept = ~gaps.all(axis=0)
    logs, gaps = logs[:, kept], gaps[:, kept]
    if not gaps.any():
        return logs
    rows = np.nanmean(logs, axis=1, keepdims=True)
    columns = np.nanmean(logs - rows, axis=0, keepdims=True)
    filled = np.where(gaps, rows + columns, logs)
    for _ in range(PASSES):
        middle = filled.mean(axis=0, keepdims=True)
        rest = filled - middle
        rows = rest.mean(axis=1, keepdims=True)
        left, values, right = np.linalg.svd(rest - rows, full_matrices=False)
        few = min(DIRECTIONS, len(values))
        again = (left[:, :few] * values[:few]) @ right[:few] + rows + middle
        filled = np.where(gaps, again, logs)
    return filled
