"""A whole one-shot run: what is left is the masked model, targets are met, scores are kept."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.compress.cutting import hold_at_zero, prunable_of
from vitprof.compress.groups import Groups
from vitprof.compress.optin.method import METHOD
from vitprof.compress.optin.optin import OptinRun
from vitprof.compress.optin.options import OptinOptions
from vitprof.compress.optin.trajectory_score import trajectory_scores
from vitprof.compress.optin.walk import walk_of
from vitprof.compress.run import TrainingContext
from vitprof.errors import UserError
from vitprof.progress import no_progress
from vitprof.spaces.swin import SwinSlabs
from vitprof.spaces.vit import ViTSlabs
from vitprof.training.data.images import Dataset, Images, Normalisation

from ..conftest import DISTILLED, SWIN, VIT, context_of, randomised, table_of

GROUPS = Groups({"embed": 16, "heads": 1, "qk": 8, "v": 8, "mlp": 8})
SPECS = pytest.mark.parametrize("spec", [VIT, DISTILLED, SWIN], ids=lambda spec: spec.name)
NORM = Normalisation((0.5,) * 3, (0.25,) * 3)


def dataset(spec, count: int = 96) -> Dataset:
    generator = np.random.default_rng(0)
    side = spec.resolution
    pixels = generator.integers(0, 256, (count, 3, side, side), dtype=np.uint8)
    images = Images(pixels, np.arange(count) % 5, tuple("abcde"))
    return Dataset(images, images)


def table_for(spec):
    swin = spec.family == "swin"
    space = SwinSlabs.covering(spec) if swin else ViTSlabs.covering(spec).with_merging()
    return table_of(space.blocks(), lambda block: block.macs / 1e6 + 0.01)


def run_of(
    spec,
    folder: Path,
    targets="0.8x",
    unit="macs",
    ranking=None,
    table=None,
    only=(),
    score="trajectory",
    on_progress=no_progress,
    **options,
) -> OptinRun:
    chosen = OptinOptions(**{"score_images": 8, "reconstruct": 0, **options})
    context = context_of(
        randomised(spec),
        TrainingContext(dataset(spec), NORM),
        folder,
        table or table_for(spec),
        targets,
        unit,
        ranking,
        groups=GROUPS,
        only=only,
        score=score,
        kinds=METHOD.kinds,
        by_units=METHOD.goes_by_units(chosen),
        on_progress=on_progress,
    )
    return OptinRun(context, chosen)


PARTS = {"tokens": {"merge_only": True}, "both": {"merge_tokens": True}}


@SPECS
def test_the_dense_model_is_the_masked_one(spec, tmp_path) -> None:
    run = run_of(spec, tmp_path / "out")
    run.score()
    smaller = run.cut(run.goal.targets[0])
    assert smaller.spec.macs <= run.goal.targets[0].cost < spec.macs
    masked = copy.deepcopy(run.model)
    structures = [s for s in prunable_of(spec).structures(run.spec, True) if s.name in run.scores]
    gone = {s.name: torch.ones(s.units, dtype=torch.bool) for s in structures}
    for name, units in run._staying(run.goal.targets[0].cost).items():
        gone[name][units] = False
    hold_at_zero(masked, structures, gone)
    with torch.no_grad():
        x = torch.randn(3, 3, spec.resolution, spec.resolution)
        torch.testing.assert_close(smaller(x), masked(x), rtol=1e-4, atol=1e-4)


@SPECS
def test_fitting_brings_the_logits_back_towards_the_full_models(spec, tmp_path) -> None:
    plain = run_of(spec, tmp_path / "plain")
    fitted = run_of(spec, tmp_path / "fitted", reconstruct=96)
    plain.score()
    fitted.scores = plain.scores
    models = [run.cut(run.goal.targets[0]) for run in (plain, fitted)]
    assert models[0].spec == models[1].spec
    x = fitted.sample.inputs(96)
    with torch.no_grad():
        wanted = plain.model(x)
        errors = [float(((model(x) - wanted) ** 2).mean()) for model in models]
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("score", METHOD.scores)
@pytest.mark.parametrize(("unit", "ranking"), [("latency", "latency"), ("latency", "macs")])
def test_every_score_and_ranking_meets_the_target(score, unit, ranking, tmp_path) -> None:
    fitted = 16 if score == "joint" else 0
    run = run_of(VIT, tmp_path / "out", "0.8x,0.6x", unit, ranking, score=score, reconstruct=fitted)
    run.score()
    for target in run.goal.targets:
        cost = float(run.goal.budget.of([run.cut(target).spec])[0])
        assert 0.9 * target.cost < cost <= target.cost


def test_a_run_that_was_killed_does_not_score_again(tmp_path, monkeypatch) -> None:
    whole = run_of(VIT, tmp_path / "whole")
    whole.score()
    monkeypatch.setattr("vitprof.training.saved_run.SECONDS_BETWEEN", 0.0)

    class KilledError(Exception):
        pass

    def kill(what: str, done: int, total: int, words: str) -> None:
        if done > total // 2:
            raise KilledError

    with pytest.raises(KilledError):
        run_of(VIT, tmp_path / "stopped", on_progress=kill).score()
    seen = []

    def show(what: str, done: int, total: int, words: str) -> None:
        seen.append(done)

    again = run_of(VIT, tmp_path / "stopped", on_progress=show)
    again.score()
    assert seen[0] > 4  # heads of the first layer, at least, were there
    for name, scores in whole.scores.items():
        torch.testing.assert_close(again.scores[name], scores, rtol=0, atol=0)


def test_one_stage_of_a_swin(tmp_path) -> None:
    run = run_of(SWIN, tmp_path / "out", "0.9x", only=("stages.1.",))
    run.score()
    spec = run.cut(run.goal.targets[0]).spec
    assert spec.stages[0] == SWIN.stages[0]
    assert spec.stages[1] != SWIN.stages[1]


def test_more_images_than_there_are_are_refused() -> None:
    with pytest.raises(UserError, match="has 96; use fewer"):
        METHOD.for_data(OptinOptions(score_images=97, reconstruct=0), dataset(VIT))


def test_a_budget_below_one_head_and_one_group_a_layer_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="out of reach"):
        run_of(VIT, tmp_path / "out", "0.1x")


@pytest.mark.parametrize("schedule", ["trajectory", "constant", "decreasing"])
@pytest.mark.parametrize("parts", ["tokens", "both"])
@pytest.mark.parametrize("spec", [VIT, DISTILLED], ids=lambda spec: spec.name)
def test_tokens_go_too(spec, parts, schedule, tmp_path) -> None:
    target = {"tokens": "0.95x", "both": "0.85x"}[parts]
    run = run_of(spec, tmp_path / "out", target, "latency", schedule=schedule, **PARTS[parts])
    run.score()
    model = run.cut(run.goal.targets[0])
    assert run.goal.budget.of([model.spec])[0] <= run.goal.targets[0].cost
    assert parts == "both" or any(model.spec.merges)
    assert parts == "both" or model.spec.layers == run.spec.layers
    with torch.no_grad():
        assert model(torch.randn(2, 3, 16, 16)).shape == (2, 5)


def test_where_merging_does_not_pay_that_is_said(tmp_path) -> None:
    def slow_to_merge(block):
        return 50.0 if block.op == "bipartite_merging" else block.macs / 1e6 + 0.01

    slow = table_of(ViTSlabs.covering(VIT).with_merging().blocks(), slow_to_merge)
    run = run_of(VIT, tmp_path / "out", "0.8x", "latency", table=slow, merge_tokens=True)
    run.score()
    assert not any(run.cut(run.goal.targets[0]).spec.merges)
    assert any("no tokens are merged" in remark for remark in run.remarks)
    alone = run_of(VIT, tmp_path / "alone", "0.8x", "latency", table=slow, merge_only=True)
    alone.score()
    with pytest.raises(UserError, match="does not pay"):
        alone.cut(alone.goal.targets[0])


def test_a_table_without_merging_says_how_to_get_one(tmp_path) -> None:
    plain = table_of(ViTSlabs.covering(VIT).blocks(), lambda block: block.macs / 1e6 + 0.01)
    run = run_of(VIT, tmp_path / "out", "0.8x", "latency", table=plain, merge_only=True)
    run.score()
    with pytest.raises(UserError, match="--merging"):
        run.cut(run.goal.targets[0])


def test_neurons_are_predicted_unless_all_is_scored_in_full(tmp_path) -> None:
    fast, full = (run_of(VIT, tmp_path / how, scoring=how) for how in ("fast", "full"))
    for run in (fast, full):
        run.score()
    expected = trajectory_scores(walk_of(full.model), full.sample.inputs(8), full.scoring)
    for name, scores in expected.items():
        torch.testing.assert_close(full.scores[name], scores)
        assert name.endswith("heads") or not torch.allclose(fast.scores[name], scores, rtol=1e-3)
    assert full.remarks == []
    assert "neurons' scores are predicted" in fast.remarks[0]


def test_how_far_predictions_are_off_is_kept_with_them(tmp_path, monkeypatch) -> None:
    first = run_of(VIT, tmp_path / "out")
    first.score()

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("told again")

    monkeypatch.setattr("vitprof.compress.optin.saved_scores.prediction_errors", fail)
    again = run_of(VIT, tmp_path / "out")
    again.score()
    assert again.remarks == first.remarks


def test_joint_scores_are_kept_unless_other_images_are_fitted_to(tmp_path) -> None:
    def made(fitted: int) -> tuple[dict[str, torch.Tensor], list[int]]:
        told: list[int] = []
        run = run_of(
            VIT,
            tmp_path / "out",
            score="joint",
            reconstruct=fitted,
            on_progress=lambda what, n, of, unit: told.append(n),
        )
        run.score()
        return run.scores, told

    first, told = made(16)
    assert told[-1] == sum(len(scores) for scores in first.values())
    run = run_of(VIT, tmp_path / "out", score="joint", reconstruct=16)
    state = run.context.saved.load()
    assert state is not None
    state["joint"]["layers.0.mlp"] += 1.0
    run.context.saved.save(state)
    again, _ = made(16)
    torch.testing.assert_close(again["layers.0.mlp"], first["layers.0.mlp"] + 1.0)
    other, _ = made(24)
    assert not torch.allclose(other["layers.0.mlp"], again["layers.0.mlp"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reconstruct": 0}, "`reconstruct` cannot be 0"),
        ({"reconstruct": 8, "scoring": "full"}, "`scoring` goes with `score` trajectory"),
        ({"reconstruct": 90, "score_images": 8}, "98 images are needed, and .* has 96"),
    ],
)
def test_what_does_not_go_with_joint_scores_is_refused(options, words) -> None:
    chosen, data = OptinOptions(**options), dataset(VIT)
    METHOD.check_score("trajectory", chosen, VIT, data)
    with pytest.raises(UserError, match=words):
        METHOD.check_score("joint", chosen, VIT, data)


def test_where_only_tokens_go_no_score_is_refused() -> None:
    options = OptinOptions(merge_only=True, reconstruct=0)
    METHOD.check_score("joint", options, VIT, dataset(VIT))  # no units are scored
