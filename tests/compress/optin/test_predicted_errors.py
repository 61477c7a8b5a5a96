"""Errors predicted from a few gradients against those of running what follows each neuron."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.stats import spearmanr
from vitprof.compress.optin import predicted_errors as module
from vitprof.compress.optin.predicted_errors import predicted_errors
from vitprof.compress.optin.trajectory import Trajectory
from vitprof.compress.optin.trajectory_score import Scoring, trajectory_errors
from vitprof.compress.optin.walk import walk_of
from vitprof.models import BertSpec
from vitprof.models.modules.words import Words

from ..conftest import DISTILLED, SWIN, VIT, randomised

SPECS = pytest.mark.parametrize("spec", [VIT, DISTILLED, SWIN], ids=lambda spec: spec.name)


def images_for(spec, count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, 3, spec.resolution, spec.resolution, generator=generator)


def small_changes(spec):
    """Return the walk over the neurons of a model that each of them changes little."""
    model = randomised(spec).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("fc2.weight"):
                weight.mul_(0.05)
    return walk_of(model, ("mlp",))


@SPECS
def test_predictions_come_to_the_errors(spec) -> None:
    walk, images = small_changes(spec), images_for(spec)
    full = trajectory_errors(walk, images, Scoring())
    found = predicted_errors(walk, images, Trajectory(), draws=100)
    assert set(found) == set(full)
    for name, errors in full.items():
        ratio = found[name] / errors
        assert ((ratio.median(dim=1).values - 1).abs() < 0.25).all()
        for row in (0, 1):
            assert spearmanr(found[name][row], errors[row]).statistic > 0.85


@pytest.mark.parametrize("how", [{"depth": 1}, {"depth": 0}, {"aggregation": "mean"}], ids=str)
def test_of_the_layers_that_count(how) -> None:
    walk, images, trajectory = small_changes(VIT), images_for(VIT), Trajectory(**how)
    full = trajectory_errors(walk, images, Scoring(trajectory))
    found = predicted_errors(walk, images, trajectory, draws=100)
    for name, errors in full.items():
        torch.testing.assert_close(found[name].sum(dim=1), errors.sum(dim=1), rtol=0.35, atol=0)


def test_one_neuron_alone_has_the_same_errors() -> None:
    walk, images = small_changes(VIT), images_for(VIT)
    alone = replace(walk, sources=[s.only(torch.tensor([5])) for s in walk.sources])
    whole = predicted_errors(walk, images, Trajectory())
    for name, errors in predicted_errors(alone, images, Trajectory()).items():
        torch.testing.assert_close(errors[:, 0], whole[name][:, 5])


def test_images_go_through_in_parts(monkeypatch) -> None:
    walk, images = small_changes(VIT), images_for(VIT)
    shares: list[float] = []
    whole = predicted_errors(walk, images, Trajectory(), draws=100)
    monkeypatch.setattr(module, "MOST_KEPT", 1)
    found = predicted_errors(walk, images, Trajectory(), draws=100, on_share=shares.append)
    assert shares[0] == pytest.approx(1 / 400)
    assert shares[-1] == 1
    assert len(shares) == 400
    for name, errors in whole.items():
        torch.testing.assert_close(found[name].sum(dim=1), errors.sum(dim=1), rtol=0.35, atol=0)


def test_without_a_weight_the_logits_are_left_out() -> None:
    walk, images = small_changes(VIT), images_for(VIT)
    for errors in predicted_errors(walk, images, Trajectory(weight=0)).values():
        assert (errors[0] > 0).all()
        assert (errors[1] == 0).all()


def test_what_fills_a_sequence_up_does_not_count() -> None:
    spec = BertSpec.uniform(
        32, 2, 2, mlp=64, vocab=80, positions=24, tokens=8, classes=3, name="small-bert"
    )
    walk = walk_of(randomised(spec).eval(), ("mlp",))
    seen = (torch.arange(8) < torch.tensor([8, 5, 2])[:, None]).long()
    ids = torch.randint(0, 80, (3, 8), generator=torch.Generator().manual_seed(0))
    other = torch.where(seen.bool(), ids, (ids + 7) % 80)
    found, again = (
        predicted_errors(walk, Words(x, torch.zeros_like(x), seen), Trajectory())
        for x in (ids, other)
    )
    for name, errors in found.items():
        assert (errors > 0).all()
        torch.testing.assert_close(errors, again[name], rtol=1e-3, atol=0)
