"""Scores from the unit on against scores of whole models with the unit's weights at zero."""

from __future__ import annotations

import copy

import pytest
import torch
from vitprof.compress.cutting import hold_at_zero
from vitprof.compress.optin.trajectory import Manifold, Trajectory, logit_errors
from vitprof.compress.optin.trajectory_score import (
    Scoring,
    trajectory_errors,
    trajectory_scores,
)
from vitprof.compress.optin.walk import walk_of

from ..conftest import DISTILLED, SWIN, VIT, randomised

SPECS = pytest.mark.parametrize("spec", [VIT, DISTILLED, SWIN], ids=lambda spec: spec.name)


def images_for(spec) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(3, 3, spec.resolution, spec.resolution, generator=generator)


@SPECS
def test_the_steps_are_the_model(spec) -> None:
    model = randomised(spec).eval()
    with torch.no_grad():
        torch.testing.assert_close(
            walk_of(model).run(images_for(spec)), model(images_for(spec)), rtol=1e-4, atol=1e-4
        )


@SPECS
def test_only_what_comes_after_a_unit_is_needed(spec) -> None:
    walk, images = walk_of(randomised(spec).eval()), images_for(spec)
    quick = trajectory_scores(walk, images)
    slow = trajectory_scores(walk, images, Scoring(from_unit=False, units_at_once=7))
    assert set(quick) == set(slow)
    for name, scores in quick.items():
        torch.testing.assert_close(scores, slow[name], rtol=2e-3, atol=1e-3)


@SPECS
def test_errors_are_what_a_model_without_the_unit_loses(spec) -> None:
    model, images = randomised(spec).eval(), images_for(spec)
    walk = walk_of(model)
    found = trajectory_errors(walk, images, Scoring())
    with torch.no_grad():
        full = walk.inputs(images)
        for source in walk.sources[:: max(len(walk.sources) // 4, 1)]:
            unit = source.structure.units // 2
            gone = {source.structure.name: torch.arange(source.structure.units) == unit}
            masked = copy.deepcopy(model)
            hold_at_zero(masked, [source.structure], gone)
            inputs = walk_of(masked).inputs(images)
            of_logits = logit_errors(full[-1], inputs[-1][None], 4.0)[0]
            of_layers = torch.tensor(0.0)
            for step, (layer, normed) in enumerate(zip(walk.layers, walk.normed, strict=True)):
                if normed and layer > walk.layers[source.step]:
                    of_layers += Manifold(full[step]).errors(inputs[step][None])[0]
            expected = torch.stack([of_layers, of_logits])
            torch.testing.assert_close(
                found[source.structure.name][:, unit], expected, rtol=2e-3, atol=1e-5
            )


def test_a_trajectory_of_no_layers_is_the_logits_alone() -> None:
    walk, images = walk_of(randomised(VIT).eval()), images_for(VIT)
    errors = {
        depth: trajectory_errors(walk, images, Scoring(Trajectory(depth=depth)))
        for depth in (0, 1, None)
    }
    name = "layers.0.mlp"
    assert (errors[0][name][0] == 0).all()
    assert (errors[1][name][0] < errors[None][name][0]).all()
    for each in errors.values():
        torch.testing.assert_close(each[name][1], errors[0][name][1])
    scores = trajectory_scores(walk, images, Scoring(Trajectory(weight=0.5, depth=0)))
    torch.testing.assert_close(scores[name], 0.5 * errors[0][name][1])
