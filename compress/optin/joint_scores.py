"""Scores of units that go together: what the logits lose when the last layers are fitted as well.

A unit's trajectory score is what is lost without it alone. Units that do the same are each worth
little, and together much; and what a unit did, a fit of the last layer can leave to others. Here
the units of a structure go one after another, each time the one that the others make up for best
(`elimination`), and at some widths the model is run with the rest fitted. A unit's score is its
part of the loss between two such widths.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import isotonic_regression
from torch import Tensor

from ...errors import UserError
from ...models.modules.words import Words
from .elimination import Elimination, eliminated
from .reconstruction import LeastSquares, ridge
from .trajectory import logit_errors
from .walk import LinearSource, Walk

# At how many widths of a structure the model is run.
WIDTHS = 16
# Scores that are equal are told apart by so small a share, in the order of the elimination.
TIE = 1e-9

# Called with units done, units in all, and the scores of the structures that are done.
OnUnits = Callable[[int, int, Mapping[str, Tensor]], None]


def joint_scores(
    walk: Walk,
    fitted_to: Tensor | Words,
    judged_on: Tensor | Words,
    temperature: float,
    floors: Mapping[str, int],
    on_units: OnUnits | None = None,
    known: Mapping[str, Tensor] | None = None,
    batch: int = 128,
) -> dict[str, Tensor]:
    """Return a score of every unit, by the structure's name; larger matters more.

    The scores of the units of a structure that go add up to L_KD (Khaki et al. 2024, eq. 3) without
    them. fitted_to, judged_on: images, n x channels x h x w, or sequences of words; of the first
    the last layers' least squares, of the others the logits. floors: units that always stay, 1
    where none is given. `known` structures are not looked at again.
    Raises UserError for a structure that does not end in a linear layer.
    """
    found = dict(known or {})
    total = sum(source.structure.units for source in walk.sources)
    done = 0
    with torch.inference_mode():
        walks, now = zip(*(walk.on(part) for part in fitted_to.split(batch)), strict=True)
        judge, at = walk.on(judged_on)
        logits = judge.run(at)
        for place in range(len(walk.steps)):
            for source in (s for s in walk.sources if s.step == place):
                name = source.structure.name
                if name not in found:
                    least = max(floors.get(name, 1), 1)
                    found[name] = _scores(source, walks, now, judge, at, logits, temperature, least)
                done += source.structure.units
                if on_units is not None:
                    on_units(done, total, found)
            now = tuple(w.steps[place](x) for w, x in zip(walks, now, strict=True))
            at = judge.steps[place](at)
    return found


def _scores(
    source: object,
    walks: Sequence[Walk],
    now: Sequence[Tensor],
    judge: Walk,
    at: Tensor,
    logits: Tensor,
    temperature: float,
    least: int,
) -> Tensor:
    if not isinstance(source, LinearSource):
        raise UserError(
            "`score` joint is for models whose units write through a linear layer; use another."
        )
    linear, units = source.linear, source.structure.units
    gram = LeastSquares.of(source, walks, now).gram
    before = linear.weight.detach().clone(), linear.bias.detach().clone()
    errors: dict[int, float] = {units: 0.0}

    def run(staying: int, weights: Tensor) -> None:
        linear.weight.copy_(weights[:-1].T)
        linear.bias.copy_(weights[-1])
        errors[staying] = float(
            logit_errors(logits, judge.run(at, source.step)[None], temperature)[0]
        )

    weights = torch.cat([before[0].T, before[1][None]]).double()
    try:
        order = eliminated(
            gram + ridge(gram), weights, source.columns, least, _widths(units, least), run
        )
    finally:
        linear.weight.copy_(before[0])
        linear.bias.copy_(before[1])
    return _of_units(order, errors, units)


def _widths(units: int, least: int) -> set[int]:
    """Return the numbers of units that stay where the model is run."""
    return {units - round(n * (units - least) / WIDTHS) for n in range(1, WIDTHS + 1)} - {units}


def _of_units(found: Elimination, errors: Mapping[int, float], units: int) -> Tensor:
    """Return the scores: of each unit its share of what is lost between two widths.

    Shared by what each added to the layer's own error. Scores may not fall from one unit to the
    next one, or the order would be another: where they do they are averaged (the pool of adjacent
    violators), which keeps the sums.
    """
    scores = torch.zeros(units, dtype=torch.float64)
    parts: list[np.ndarray] = []
    widths = sorted(errors, reverse=True)
    for wide, narrow in itertools.pairwise(widths):
        costs = np.array(found.costs[units - wide : units - narrow])
        shares = costs / costs.sum() if costs.sum() > 0 else np.full(len(costs), 1 / len(costs))
        parts.append((errors[narrow] - errors[wide]) * shares)
    if not parts:
        return scores
    rising = np.maximum(isotonic_regression(np.concatenate(parts)).x, 0.0)
    rising += TIE * max(rising[-1], TIE) * np.arange(len(rising)) / len(rising)
    scores[:] = float(rising[-1]) * (1 + TIE)
    scores[torch.tensor(found.order)] = torch.from_numpy(rising)
    return scores
