"""How many tokens each layer merges: from the scores of patches, or by rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...models import Spec, ViTSpec
from ...models.checks import shown

Schedule = Literal["trajectory", "constant", "decreasing"]
SCHEDULES: tuple[Schedule, ...] = ("trajectory", "constant", "decreasing")
CostOf = Callable[[Sequence[Spec]], np.ndarray]


def with_merges(
    spec: ViTSpec,
    schedule: Schedule | tuple[int, ...],
    budget: float,
    cost_of: CostOf,
    scores: Tensor | None = None,
    covers: Callable[[Spec], bool] = lambda _: True,
) -> ViTSpec:
    """Return the spec with the fewest tokens merged at which it costs at most `budget`.

    covers: whether it is known what a spec costs; schedules beyond are not looked at.

    trajectory: patches go in the order of their scores (layers x patches), lowest first (OPTIN,
    appendix A.9); constant and decreasing: the schedules of Bolya et al. 2023 (ToMe), section 4;
    numbers: that schedule and no other. Raises UserError where merging all that can be merged does
    not suffice, or does not pay: where the first tokens merged make the model slower and nothing
    makes up for it.
    """
    if spec.prefix >= spec.tokens:
        raise UserError(f"{spec.name} has no patches to merge.")
    if isinstance(schedule, tuple):
        specs = [one for one in (replace(spec, merges=schedule),) if covers(one)]
    elif schedule == "trajectory":
        assert scores is not None
        specs = _by_score(spec, scores, covers)
    else:
        merges = _by_rule(spec, decreasing=schedule == "decreasing")
        specs = list(itertools.takewhile(covers, (replace(spec, merges=m) for m in merges)))
    if not specs:
        raise UserError(
            f"what {spec.name} costs with merged tokens is not in the table; measure one that "
            "covers it (vitprof measure --merging)."
        )
    costs = cost_of(specs)
    fitting = np.flatnonzero(costs <= budget)
    if not len(fitting):
        full = float(cost_of([spec])[0])
        if costs.min() >= full:
            raise UserError(
                f"merging tokens does not pay here: {spec.name} costs {full:.4g} without and at "
                f"least {costs.min():.4g} with it."
            )
        raise UserError(
            f"with all tokens merged that can be and that the table covers, {spec.name} still "
            f"costs {costs.min():.4g}, above {budget:.4g}; use a larger target, or prune heads "
            "and neurons too."
        )
    return specs[int(fitting[0])]


def parse_schedule(text: str, spec: Spec) -> Schedule | tuple[int, ...]:
    """Return a schedule's name, or how many tokens each layer merges: "8", or "8,8,6,4,2,0".

    Raises UserError for anything else, and for more than half of the tokens that a layer sees.
    """
    if text in SCHEDULES:
        return text
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(
            f"the schedule {shown(text)} is none of {', '.join(SCHEDULES)}, and no numbers like 8 "
            "or 8,8,6,4,2,0."
        ) from None
    if not isinstance(spec, ViTSpec):
        raise UserError(f"{spec.name} has no patches to merge.")
    merges = numbers * spec.depth if len(numbers) == 1 else numbers
    if not any(merges):
        raise UserError(f"the schedule {shown(text)} merges nothing.")
    replace(spec, merges=merges)  # says which layer merges too many
    return merges


def _by_score(spec: ViTSpec, scores: Tensor, covers: Callable[[Spec], bool]) -> list[ViTSpec]:
    """Return the specs after every patch that goes, lowest score first, where one can go."""
    if scores.shape != (spec.depth, spec.tokens - spec.prefix):
        raise UserError(
            f"scores of {tuple(scores.shape)} are not of the {spec.depth} layers and "
            f"{spec.tokens - spec.prefix} patches of {spec.name}."
        )
    order = torch.argsort(scores.reshape(-1), stable=True)
    found: list[ViTSpec] = []
    merges = (0,) * spec.depth
    for layer in (order // scores.shape[1]).tolist():
        wanted = [r + (place == layer) for place, r in enumerate(merges)]
        # A later layer that sees fewer tokens has fewer to merge.
        tried = possible_merges(spec, wanted)
        if tried[layer] == merges[layer]:
            continue
        for merges_now in (tried, _giving_way(tried, layer)):
            one = replace(spec, merges=merges_now)
            if covers(one):
                merges = merges_now
                found.append(one)
                break
    return found


def _by_rule(spec: ViTSpec, decreasing: bool) -> list[tuple[int, ...]]:
    """Return r a layer for r = 1, 2, …; or, decreasing, from 2r down to 0 in equal steps."""
    found: list[tuple[int, ...]] = []
    depth, patches = spec.depth, spec.tokens - spec.prefix
    for r in range(1, patches + 1):
        shares = [2 * r * (1 - place / (depth - 1)) for place in range(depth)] if depth > 1 else [r]
        wanted = [int(share) for share in shares] if decreasing else [r] * depth
        merges = possible_merges(spec, wanted)
        if not found or merges != found[-1]:
            found.append(merges)
    return found


def _giving_way(merges: tuple[int, ...], layer: int) -> tuple[int, ...]:
    """Return one merged token less in the last layer behind `layer` that merges any.

    So an earlier layer goes on where as many tokens are merged in all as the table covers: a token
    that goes earlier saves more.
    """
    for later in reversed(range(layer + 1, len(merges))):
        if merges[later]:
            return (*merges[:later], merges[later] - 1, *merges[later + 1 :])
    return merges


def possible_merges(spec: ViTSpec, wanted: Sequence[int]) -> tuple[int, ...]:
    """Return as many as wanted, layer by layer, but at most half of the patches that are left."""
    merges, left = [], spec.tokens
    for each in wanted:
        merges.append(min(each, (left - spec.prefix) // 2))
        left -= merges[-1]
    return tuple(merges)
