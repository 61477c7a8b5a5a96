"""Errors of all units, those of hidden neurons predicted; and how far predictions are off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ...models.modules.words import Words
from .predicted_errors import predicted_errors
from .trajectory import logits_scale
from .trajectory_score import OnUnits, Scoring, trajectory_errors
from .walk import LinearSource, Walk

# Neurons of all layers together that are scored in full too.
CHECKED = 48
# A median error above which a prediction is not to be trusted.
TOO_MUCH = 0.5


def fast_errors(
    walk: Walk,
    images: Tensor | Words,
    scoring: Scoring,
    on_units: OnUnits | None = None,
    known: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return what `trajectory_errors` does, the errors of hidden neurons predicted.

    Heads and channels are looked at one by one: few, and what goes with one is not little.
    """
    neurons = neurons_of(walk)
    names = {source.structure.name for source in neurons}
    others = [source for source in walk.sources if source.structure.name not in names]
    count = sum(source.structure.units for source in neurons)
    before = sum(source.structure.units for source in others)

    def show(done: float, errors: Mapping[str, Tensor]) -> None:
        if on_units is not None:
            on_units(int(done), before + count, errors)

    found = trajectory_errors(
        replace(walk, sources=others), images, scoring, lambda n, _, errors: show(n, errors), known
    )
    if not names <= set(found):
        found |= predicted_errors(
            replace(walk, sources=neurons),
            images,
            scoring.trajectory,
            on_share=lambda share: show(before + share * count, found),
        )
    return {name: found[name] for name in (s.structure.name for s in walk.sources)}


def prediction_errors(
    walk: Walk, images: Tensor | Words, scoring: Scoring, errors: Mapping[str, Tensor]
) -> Tensor:
    """Return how far the predicted scores of some neurons are off, as shares of their full ones.

    As many of every layer's, evenly spaced; empty where there are no hidden neurons.
    """
    neurons = neurons_of(walk)
    each = max(CHECKED // max(len(neurons), 1), 1)
    units = {
        s.structure.name: torch.linspace(0, s.structure.units - 1, each).round().long().unique()
        for s in neurons
    }
    some = [source.only(units[source.structure.name]) for source in neurons]
    full = trajectory_errors(replace(walk, sources=some), images, scoring)
    scale = scoring.trajectory.weight * logits_scale(errors)
    shares = []
    for name, chosen in units.items():
        one, two = (each[0] + scale * each[1] for each in (errors[name][:, chosen], full[name]))
        shares.append((one / two - 1).abs()[two > 0])
    return torch.cat(shares) if shares else torch.zeros(0)


def in_words(shares: Tensor) -> str:
    """Return how far predicted scores are off in words for the user; "" of none."""
    if not len(shares):
        return ""
    median, most = (float(share) for share in torch.quantile(shares, torch.tensor([0.5, 0.9])))
    advice = "; use `scoring` full" if median > TOO_MUCH else ""
    return (
        f"neurons' scores are predicted: of {len(shares)} that were scored in full too, half are "
        f"within {median:.0%} and nine of ten within {most:.0%}{advice}"
    )


def neurons_of(walk: Walk) -> list[LinearSource]:
    """Return the sources that are hidden neurons: those whose errors can be predicted."""
    return [x for x in walk.sources if isinstance(x, LinearSource) and x.structure.kind == "mlp"]
