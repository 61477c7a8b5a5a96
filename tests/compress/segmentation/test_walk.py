"""Scores of a Mask2Former's neurons from the neuron on, against whole models without it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from vitprof.compress.optin.predicted_errors import predicted_errors
from vitprof.compress.optin.trajectory import Manifold, Trajectory, logit_errors
from vitprof.compress.optin.trajectory_score import (
    Scoring,
    trajectory_errors,
    trajectory_scores,
)
from vitprof.compress.segmentation.mask2former import backbone_of, backbone_spec, load_mask2former
from vitprof.compress.segmentation.walk import decoded, segmentation_walk

torch.set_num_threads(1)  # quicker for models as small as these


@pytest.fixture(scope="module")
def model(tmp_path_factory, write_mask2former_folder) -> tuple[Any, Any]:
    """A Mask2Former and its backbone as this package's module."""
    folder = tmp_path_factory.mktemp("model") / "m2f"
    write_mask2former_folder(folder)
    full = load_mask2former(folder)
    return full, backbone_of(full, backbone_spec(folder))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))


@torch.inference_mode()
def test_the_steps_are_the_model(model, images) -> None:
    full, swin = model
    expected = full(images).class_queries_logits
    found = segmentation_walk(full, swin, images).run(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_run_from_any_step_on_has_the_outputs_of_earlier_stages(model, images) -> None:
    full, swin = model
    walk = segmentation_walk(full, swin, images)
    inputs = walk.inputs(images)
    for first in range(len(walk.steps)):
        torch.testing.assert_close(walk.run(inputs[first], first), inputs[-1])
    # And so has a run of several variants, even after one of other images.
    walk.run(images + 1)
    middle = len(walk.steps) // 2
    two = walk.run(torch.cat([inputs[middle], inputs[middle]]), middle)
    torch.testing.assert_close(two, torch.cat([inputs[-1]] * 2), rtol=1e-4, atol=1e-5)


def test_only_what_comes_after_a_neuron_is_needed(model, images) -> None:
    full, swin = model
    for only in (("stages.0.layers.1",), ("stages.2.",)):
        walk = segmentation_walk(full, swin, images, only)
        quick = trajectory_scores(walk, images)
        slow = trajectory_scores(walk, images, Scoring(from_unit=False, units_at_once=7))
        assert quick
        assert set(quick) == set(slow)
        for name, scores in quick.items():
            torch.testing.assert_close(scores, slow[name], rtol=2e-3, atol=1e-5)


@torch.inference_mode()
def test_a_score_is_what_transformers_own_model_loses(model, images) -> None:
    full, swin = model
    walk = segmentation_walk(full, swin, images)
    found = trajectory_errors(walk, images, Scoring())
    logits = full(images).class_queries_logits
    whole = walk.inputs(images)
    for stage, layer, unit in ((0, 0, 3), (1, 0, 31), (2, 1, 0), (3, 0, 64)):
        masked = copy.deepcopy(full)
        encoder = masked.model.pixel_level_module.encoder.swin.encoder
        encoder.layers[stage].blocks[layer].mlp.fc2.weight[:, unit] = 0
        name = f"stages.{stage}.layers.{layer}.mlp"
        step = next(s.step for s in walk.sources if s.structure.name == name)
        of_logits = logit_errors(logits, masked(images).class_queries_logits[None], 4.0)[0]
        of_layers = torch.tensor(0.0)
        inputs = segmentation_walk(masked, backbone_of(masked, swin.spec), images).inputs(images)
        for later in range(step + 1, len(walk.steps)):
            if walk.layers[later] > walk.layers[step]:
                of_layers += Manifold(whole[later]).errors(inputs[later][None])[0]
        expected = torch.stack([of_layers, of_logits])
        torch.testing.assert_close(found[name][:, unit], expected, rtol=5e-3, atol=1e-7)
        assert of_layers > 1e-4
        assert of_logits > 0


def test_every_neuron_of_the_last_layer_is_felt_before_the_decoders(model, images) -> None:
    full, swin = model
    walk = segmentation_walk(full, swin, images, ("stages.3.",))
    found = trajectory_scores(walk, images, Scoring(Trajectory(weight=0)))["stages.3.layers.0.mlp"]
    assert (found > 0).all()


def test_errors_are_predicted_through_the_decoders(model, images) -> None:
    full, swin = model
    walk = segmentation_walk(full, swin, images, ("stages.2.",))
    found = predicted_errors(walk, images, Trajectory(), draws=100)
    for name, errors in trajectory_errors(walk, images, Scoring()).items():
        ratios = (found[name] / errors).median(dim=1).values
        assert ((ratios > 0.6) & (ratios < 1.6)).all()
        assert all(
            spearmanr(a, b).statistic > 0.7 for a, b in zip(found[name], errors, strict=True)
        )


def test_without_a_weight_the_decoders_do_not_run(model, images, monkeypatch) -> None:
    full, swin = model
    walk = segmentation_walk(full, swin, images, ("stages.2.",))
    expected = trajectory_scores(walk, images, Scoring(Trajectory(weight=0)))

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the decoders ran")

    monkeypatch.setattr("vitprof.compress.segmentation.walk.decoded", fail)
    walk = segmentation_walk(full, swin, images, ("stages.2.",), decoders=False)
    found = trajectory_scores(walk, images, Scoring(Trajectory(weight=0)))
    for name, scores in expected.items():
        torch.testing.assert_close(found[name], scores)


@torch.inference_mode()
def test_the_queries_logits_are_compared_query_by_query(model, images) -> None:
    full, swin = model
    stages = segmentation_walk(full, swin, images).inputs(images)
    logits = stages[-1]
    assert logits.shape == (2, 5, 5)
    other = logits + torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    by_hand = [
        torch.nn.functional.kl_div(
            (o / 4).log_softmax(-1), (q / 4).log_softmax(-1), log_target=True, reduction="sum"
        )
        for q, o in zip(logits.reshape(-1, 5), other.reshape(-1, 5), strict=True)
    ]
    expected = 16 * torch.stack(by_hand).mean()
    torch.testing.assert_close(logit_errors(logits, other[None], 4.0)[0], expected)


@torch.inference_mode()
def test_decoders_alone_give_the_masks_too(model, images) -> None:
    full, swin = model
    tokens, stages = swin.patch_embed(images), []
    for stage in swin.layers:
        tokens = stage(tokens)
        stages.append(tokens)
    found, expected = decoded(full, stages), full(images)
    torch.testing.assert_close(
        found.masks_queries_logits, expected.masks_queries_logits, rtol=1e-3, atol=1e-4
    )
