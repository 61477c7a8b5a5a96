"""Scores of patches by their definition, and the schedules made of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from vitprof.compress.merging.token_schedule import SCHEDULES, parse_schedule, with_merges
from vitprof.compress.merging.token_score import sample_errors, token_scores
from vitprof.compress.optin.trajectory import Trajectory, logit_errors
from vitprof.errors import UserError
from vitprof.models import ViTSpec

from .conftest import DISTILLED, SWIN, VIT, randomised


def macs(specs) -> np.ndarray:
    return np.array([spec.macs for spec in specs], dtype=float)


@pytest.mark.parametrize("spec", [VIT, DISTILLED], ids=lambda spec: spec.name)
def test_a_score_is_what_the_logits_lose_without_the_patch(spec) -> None:
    model = randomised(spec).eval()
    images = torch.randn(3, 3, spec.resolution, spec.resolution)
    found = token_scores(model, images, Trajectory(weight=1.0, depth=0))
    assert found.shape == (spec.depth, spec.tokens - spec.prefix)
    steps = model.chain()
    with torch.no_grad():
        full = model(images)
        for layer, patch in ((0, 3), (1, 0), (spec.depth - 1, 7)):
            x = images
            for place, step in enumerate(steps):
                x = step(x)
                if place == 1 + 2 * layer:  # after the layer's attention
                    place_of = spec.prefix + patch
                    x = torch.cat([x[:, :place_of], x[:, place_of + 1 :]], dim=1)
            expected = logit_errors(full, x[None], 4.0)[0]
            torch.testing.assert_close(found[layer, patch], expected, rtol=1e-3, atol=1e-5)


def test_relations_between_images_at_one_token() -> None:
    full, changed = torch.randn(4, 3, 6), torch.randn(4, 3, 6)
    expected = 0.0
    for token in range(3):
        for one in range(4):
            for other in range(4):
                cosines = [
                    torch.cosine_similarity(f[one, token], f[other, token], dim=0)
                    for f in (full, changed)
                ]
                expected += (cosines[0] - cosines[1]) ** 2 / 3
    torch.testing.assert_close(sample_errors(full, changed), expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("share", [0.9, 0.8])
def test_a_schedule_meets_the_budget_and_merges_no_more_than_it_has_to(schedule, share) -> None:
    scores = torch.rand(VIT.depth, VIT.tokens - VIT.prefix)
    budget = share * VIT.macs
    spec = with_merges(VIT, schedule, budget, macs, scores)
    assert spec.macs <= budget
    if schedule == "trajectory":
        # One token more was the last that had to go: the schedule before it costs too much.
        order = torch.argsort(scores.reshape(-1), stable=True) // scores.shape[1]
        last = [int(layer) for layer in order[: VIT.depth * 2] if spec.merges[int(layer)]]
        fewer = [
            replace(spec, merges=tuple(r - (n == layer) for n, r in enumerate(spec.merges)))
            for layer in set(last)
        ]
        assert max(each.macs for each in fewer) > budget
    else:
        assert list(spec.merges) == sorted(spec.merges, reverse=True)
        assert schedule == "constant" or spec.merges[-1] == 0


def test_layers_whose_patches_matter_least_merge_most() -> None:
    scores = torch.ones(VIT.depth, VIT.tokens - VIT.prefix)
    scores[1] = 0.1 + 0.01 * torch.rand(VIT.tokens - VIT.prefix)
    spec = with_merges(VIT, "trajectory", 0.9 * VIT.macs, macs, scores)
    assert spec.merges[1] == sum(spec.merges) > 0


def test_where_merging_costs_more_than_it_saves_that_is_said() -> None:
    def slower(specs):
        return np.array([1.0 + 0.01 * sum(spec.merges) for spec in specs])

    with pytest.raises(UserError, match="does not pay"):
        with_merges(VIT, "constant", 0.9, slower)


def test_a_budget_that_merging_cannot_meet_is_refused() -> None:
    with pytest.raises(UserError, match="still costs"):
        with_merges(VIT, "decreasing", 0.01 * VIT.macs, macs)


def test_models_whose_patches_cannot_go_are_refused() -> None:
    images = torch.randn(2, 3, 16, 16)
    for spec in (
        SWIN,
        replace(VIT, merges=(1, 0, 0)),
        ViTSpec.uniform(16, 1, 0, mlp=8, resolution=16, patch=4, classes=5),
    ):
        with pytest.raises(UserError, match="could be merged"):
            token_scores(randomised(spec), images)


def test_a_schedule_of_numbers_is_taken_as_it_is() -> None:
    assert parse_schedule("3", VIT) == (3, 3, 3)
    assert parse_schedule("4, 2,0", VIT) == (4, 2, 0)
    assert parse_schedule("decreasing", VIT) == "decreasing"
    full = float(macs([VIT])[0])
    assert with_merges(VIT, (4, 2, 0), full, macs).merges == (4, 2, 0)
    with pytest.raises(UserError, match="still costs"):
        with_merges(VIT, (4, 2, 0), 0.5 * full, macs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9", r"merges\[0\]=9 is more than half of the 17 tokens"),
        ("5,5,4", r"merges\[2\]=4 is more than half of the 7 tokens"),
        ("1,2", "2 numbers for 3 layers"),
        ("-1", "merges"),
        ("0,0,0", "merges nothing"),
        ("1.5", "none of trajectory"),
        ("linear", "none of trajectory"),
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be(text, words) -> None:
    with pytest.raises(UserError, match=words):
        parse_schedule(text, VIT)


def test_a_model_without_patches_has_no_schedule() -> None:
    with pytest.raises(UserError, match="no patches"):
        parse_schedule("2", SWIN)


def test_what_later_layers_merge_gives_way_to_earlier_ones() -> None:
    """Patches matter least in the last layer, which then has half of what is left, not of all."""
    scores = torch.ones(3, 16)
    scores[2] = 0.0
    full = float(macs([VIT])[0])
    found = with_merges(VIT, "trajectory", 0.7 * full, macs, scores)
    assert float(macs([found])[0]) <= 0.7 * full
    left = 17
    for merged in found.merges:
        assert merged <= (left - 1) // 2
        left -= merged
    assert found.merges[2] == (left + found.merges[2] - 1) // 2
    # Nothing goes from an earlier layer while the last has more to give.
    mild = with_merges(
        VIT, "trajectory", float(macs([replace(VIT, merges=(0, 0, 5))])[0]), macs, scores
    )
    assert mild.merges == (0, 0, 5)


def test_where_the_table_ends_a_later_layer_gives_way() -> None:
    scores = torch.ones(3, 16)
    scores[2] = 0.0

    def covers(spec) -> bool:
        return spec.tokens - sum(spec.merges) >= 9

    full = float(macs([VIT])[0])
    found = with_merges(VIT, "trajectory", 0.7 * full, macs, scores, covers)
    assert sum(found.merges) == 8 and found.merges[0] > found.merges[2]
