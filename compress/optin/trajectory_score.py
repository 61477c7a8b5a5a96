"""The score of every unit: what the model's later layers and logits lose without it.

Only forward passes, and of these only what comes after the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...models.modules.words import Words
from .trajectory import Trajectory, importances, logit_errors, unit_errors
from .walk import Measure, Source, Walk

# Variants of the model that run together are as many as make about so many numbers.
MOST_NUMBERS = 3_000_000

# Called with units done, units in all, and the errors of the structures that are done.
OnUnits = Callable[[int, int, Mapping[str, Tensor]], None]


@dataclass(frozen=True)
class Scoring:
    """How units are scored: by which trajectory, how many at once (None: as memory allows).

    from_unit: run only what comes after the unit; False runs every variant from the images on, for
    comparison. fast: hidden neurons' errors are predicted (`predicted_errors`).
    """

    trajectory: Trajectory = field(default_factory=Trajectory)
    units_at_once: int | None = None
    from_unit: bool = True
    fast: bool = False


def trajectory_scores(
    walk: Walk, images: Tensor | Words, scoring: Scoring | None = None
) -> dict[str, Tensor]:
    """Return OPTIN eq. 3 of every unit, by the structure's name; larger matters more.

    images: n x channels x h x w, as the model takes them, on its device, or sequences of words.
    """
    scoring = scoring or Scoring()
    return importances(scoring.trajectory, trajectory_errors(walk, images, scoring))


def trajectory_errors(
    walk: Walk,
    images: Tensor | Words,
    scoring: Scoring,
    on_units: OnUnits | None = None,
    known: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return what eq. 3 adds up of every unit, 2 x units: the errors of layers, and of the logits.

    `known` structures are not looked at again.
    """
    walk, first = walk.on(images)
    total = sum(source.structure.units for source in walk.sources)
    done = 0
    found = dict(known or {})
    with torch.inference_mode():
        inputs = walk.inputs(first)
        measures: dict[int, Measure] = {}
        for source in walk.sources:
            if source.structure.name in found:
                done += source.structure.units
                continue
            later = later_steps(walk, source, scoring.trajectory)
            for step in later:
                if step not in measures:
                    measures[step] = walk.measure(inputs[step])
            parts = []
            for units in _chunks(source, inputs[source.step], scoring.units_at_once):
                parts.append(_of_units(walk, source, units, inputs, measures, later, scoring))
                done += len(units)
                if on_units is not None:
                    on_units(done, total, found)
            found[source.structure.name] = torch.cat(parts, dim=1).cpu()
    return found


def later_steps(walk: Walk, source: Source, trajectory: Trajectory) -> list[int]:
    """Return the steps whose inputs are compared: those flagged, in later layers."""
    layer = walk.layers[source.step]
    last = max(walk.layers) if trajectory.depth is None else layer + trajectory.depth
    return [
        step
        for step, (its, normed) in enumerate(zip(walk.layers, walk.normed, strict=True))
        if normed and layer < its <= last
    ]


def _chunks(source: Source, x: Tensor, at_once: int | None) -> Iterator[Tensor]:
    size = at_once or max(MOST_NUMBERS // x.numel(), 1)
    yield from torch.arange(source.structure.units).split(size)


def _of_units(
    walk: Walk,
    source: Source,
    units: Tensor,
    inputs: list[Tensor],
    measures: dict[int, Measure],
    later: list[int],
    scoring: Scoring,
) -> Tensor:
    count, images = len(units), len(inputs[0])
    if scoring.from_unit:
        x = inputs[source.step]
    else:
        x = inputs[0].repeat(count, *(1,) * (inputs[0].ndim - 1))
        for earlier in walk.steps[: source.step]:
            x = earlier(x)
    # Before their units go, the variants are one where only what follows is run.
    x = source.without(walk.steps[source.step], x, units, 1 if scoring.from_unit else count)
    layers = []
    for step in range(source.step + 1, len(walk.steps)):
        if step in later:
            layers.append(measures[step].errors(x.reshape(count, images, *x.shape[1:])))
        x = walk.steps[step](x)
    trajectory = scoring.trajectory
    logits = logit_errors(inputs[-1], x.reshape(count, *inputs[-1].shape), trajectory.temperature)
    return unit_errors(trajectory, layers, logits)
