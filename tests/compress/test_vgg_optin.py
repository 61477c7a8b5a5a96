"""One-shot pruning of a VGG's channels: scores, choice, fitting and what is left."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.compress.cutting import hold_at_zero, prunable_of
from vitprof.compress.groups import Groups
from vitprof.compress.optin.channel_reconstruction import reconstruct_channels
from vitprof.compress.optin.mask_search import MaskSearch
from vitprof.compress.optin.method import METHOD
from vitprof.compress.optin.optin import OptinRun
from vitprof.compress.optin.options import OptinOptions
from vitprof.compress.optin.trajectory import Trajectory, logit_errors
from vitprof.compress.optin.trajectory_score import (
    Scoring,
    trajectory_errors,
    trajectory_scores,
)
from vitprof.compress.optin.walk import walk_of
from vitprof.compress.run import TrainingContext
from vitprof.errors import UserError
from vitprof.models import VggSpec, create_model
from vitprof.models.families.vgg.structures import vgg_structures, vgg_with_units
from vitprof.spaces.vgg import VggSlabs
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Dataset, Images, Normalisation
from vitprof.training.evaluate import evaluate

from .conftest import VGG, context_of, randomised, table_of

NORM = Normalisation((0.5,) * 3, (0.25,) * 3)
DIGITS = VggSpec(
    stages=((16, 16), (32, 32)),
    hidden=(),
    pooled=1,
    resolution=8,
    in_channels=1,
    classes=10,
    name="digits-vgg",
)


def groups_of(size: int) -> Groups:
    return Groups({"heads": 1, "mlp": 1, "channels": size})


def images_for(spec: VggSpec, count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, 3, spec.resolution, spec.resolution, generator=generator)


# --- scores ---------------------------------------------------------------------------------------


def naive_errors(model, images, channel: int, of_conv: int, how: Trajectory) -> torch.Tensor:
    """Return the score from two whole passes: every later layer's output, and the logits."""

    def layers(without: bool) -> tuple[list[torch.Tensor], torch.Tensor]:
        x, found = images, []
        for number, conv in enumerate(model.convs):
            x = conv(x)
            if without and number == of_conv:
                x = x.clone()
                x[:, channel] = 0
            if number > of_conv:
                found.append(x)
        x = model.pooling(x)
        for dense in model.hidden:
            x = torch.relu(dense(x))
            found.append(x)
        return found, model.head(x)

    (full, full_logits), (pruned, logits) = layers(False), layers(True)
    total = torch.tensor(0.0)
    depth = len(full) if how.depth is None else how.depth
    for a, b in list(zip(full, pruned, strict=True))[:depth]:
        total = total + ((a.mean(dim=0) - b.mean(dim=0)) ** 2).mean()
    return torch.stack([total, logit_errors(full_logits, logits[None], how.temperature)[0]])


@pytest.mark.parametrize("depth", [None, 0, 1, 2])
def test_errors_are_what_later_layers_and_logits_lose(depth) -> None:
    model, images = randomised(VGG).eval(), images_for(VGG)
    how = Trajectory(depth=depth)
    found = trajectory_errors(walk_of(model), images, Scoring(how))
    with torch.no_grad():
        for of_conv, width in enumerate(VGG.channels):
            expected = [naive_errors(model, images, c, of_conv, how) for c in range(width)]
            torch.testing.assert_close(
                found[f"convs.{of_conv}.channels"], torch.stack(expected, 1), rtol=1e-4, atol=1e-6
            )


def test_only_what_comes_after_a_channel_is_needed() -> None:
    walk, images = walk_of(randomised(VGG).eval()), images_for(VGG)
    quick = trajectory_scores(walk, images)
    slow = trajectory_scores(walk, images, Scoring(from_unit=False, units_at_once=7))
    assert set(quick) == set(slow) == {f"convs.{n}.channels" for n in range(4)}
    for name, scores in quick.items():
        assert scores.max() > 0
        torch.testing.assert_close(scores, slow[name], rtol=1e-4, atol=1e-6)


# --- choice ---------------------------------------------------------------------------------------

TINY = VggSpec(stages=((3, 4), (3,)), hidden=(), pooled=1, resolution=4, classes=3, name="tiny-vgg")


def tiny_scores(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {s.name: torch.rand(s.units, generator=generator) for s in vgg_structures(TINY)}


def choose(scores, cost_of, budget, size=1, floors=None) -> dict[str, torch.Tensor]:
    search = MaskSearch.of(
        vgg_structures(TINY),
        scores,
        groups_of(size),
        lambda w: vgg_with_units(TINY, w),
        cost_of,
        floors,
    )
    return search.choose(budget)


def macs(specs) -> np.ndarray:
    return np.array([spec.macs for spec in specs], dtype=float)


def channels(specs) -> np.ndarray:
    return np.array([sum(spec.channels) for spec in specs], dtype=float)


def best_of_all(scores, cost_of, budget) -> float:
    """Return the highest sum of scores over all widths that can be paid."""
    ordered = {name: score.sort(descending=True).values for name, score in scores.items()}
    best = 0.0
    for widths in itertools.product(*(range(1, len(score) + 1) for score in scores.values())):
        named = dict(zip(scores, widths, strict=True))
        if cost_of([vgg_with_units(TINY, named)])[0] <= budget:
            best = max(best, sum(float(ordered[n][:count].sum()) for n, count in named.items()))
    return best


def total(staying, scores) -> float:
    return float(sum(scores[name][units].sum() for name, units in staying.items()))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("left", [4, 6, 9])
def test_no_other_choice_scores_higher_where_channels_cost_the_same(seed, left) -> None:
    scores = tiny_scores(seed)
    staying = choose(scores, channels, left)
    assert sum(map(len, staying.values())) == left
    assert total(staying, scores) == pytest.approx(best_of_all(scores, channels, left))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_by_macs_the_choice_is_near_the_best(seed, share) -> None:
    scores, budget = tiny_scores(seed), share * TINY.macs
    staying = choose(scores, macs, budget)
    assert (
        vgg_with_units(TINY, {name: len(units) for name, units in staying.items()}).macs <= budget
    )
    assert total(staying, scores) >= 0.97 * best_of_all(scores, macs, budget)


def test_what_saves_little_stays() -> None:
    """All channels score the same: those go whose convolutions have the most work."""
    spec = VggSpec(stages=((8, 8), (8, 8)), hidden=(), pooled=1, resolution=16, classes=3)
    structures = vgg_structures(spec)
    search = MaskSearch.of(
        structures,
        {s.name: torch.ones(8) for s in structures},
        groups_of(1),
        lambda widths: vgg_with_units(spec, widths),
        macs,
    )
    widths = {name: len(units) for name, units in search.choose(0.6 * spec.macs).items()}
    assert widths["convs.0.channels"] < 8 == widths["convs.3.channels"]


def test_floors_and_groups_of_channels_are_kept() -> None:
    scores = tiny_scores(0)
    staying = choose(scores, macs, 0.6 * TINY.macs, floors={"convs.1.channels": 3})
    assert len(staying["convs.1.channels"]) >= 3
    assert len(choose(scores, macs, 0.6 * TINY.macs, size=2)["convs.1.channels"]) % 2 == 0
    with pytest.raises(UserError, match="cost"):
        choose(scores, macs, vgg_with_units(TINY, dict.fromkeys(scores, 1)).macs - 1)


# --- whole runs -----------------------------------------------------------------------------------


def run_of(
    folder: Path,
    targets="0.7x",
    unit="macs",
    model=None,
    training=None,
    score="trajectory",
    **options,
) -> OptinRun:
    model = model or randomised(VGG)
    table = table_of(VggSlabs.covering(model.spec).blocks(), lambda b: b.macs / 1e6 + 0.01)
    context = context_of(
        model,
        training or TrainingContext(noise(), NORM),
        folder,
        table,
        targets,
        unit,
        groups=groups_of(4),
        kinds=METHOD.kinds,
        score=score,
    )
    return OptinRun(context, OptinOptions(**{"score_images": 8, "reconstruct": 0, **options}))


def noise() -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 3, 16, 16), dtype=np.uint8)
    images = Images(pixels, np.arange(96) % 5, tuple("abcde"))
    return Dataset(images, images)


def test_the_dense_model_is_the_masked_one(tmp_path) -> None:
    run = run_of(tmp_path / "out")
    run.score()
    smaller = run.cut(run.goal.targets[0])
    assert smaller.spec.macs <= run.goal.targets[0].cost < VGG.macs
    structures = prunable_of(VGG).structures(VGG, True)
    gone = {s.name: torch.ones(s.units, dtype=torch.bool) for s in structures}
    for name, units in run._staying(run.goal.targets[0].cost).items():
        gone[name][units] = False
    masked = copy.deepcopy(run.model)
    hold_at_zero(masked, structures, gone)
    with torch.no_grad():
        x = images_for(VGG)
        torch.testing.assert_close(smaller(x), masked(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("score", [one for one in METHOD.scores if one != "joint"])
@pytest.mark.parametrize("unit", ["latency", "macs"])
def test_every_score_meets_the_target(score, unit, tmp_path) -> None:
    run = run_of(tmp_path / "out", "0.8x,0.5x", unit, score=score)
    run.score()
    for target in run.goal.targets:
        cost = float(run.goal.budget.of([run.cut(target).spec])[0])
        assert 0.7 * target.cost < cost <= target.cost


def test_fitting_brings_the_logits_back_towards_the_full_models(tmp_path) -> None:
    plain = run_of(tmp_path / "plain")
    fitted = run_of(tmp_path / "fitted", reconstruct=64)
    plain.score()
    fitted.scores = plain.scores
    models = [run.cut(run.goal.targets[0]) for run in (plain, fitted)]
    assert models[0].spec == models[1].spec
    x = plain.sample.inputs(32, 64)  # not fitted to
    with torch.no_grad():
        wanted = plain.model(x)
        errors = [float(((model(x) - wanted) ** 2).mean()) for model in models]
    assert errors[1] < 0.7 * errors[0]


def test_a_vgg_has_no_tokens(refused) -> None:
    with refused("`merge_tokens` is for transformers", "has no tokens"):
        METHOD.check(OptinOptions(merge_tokens=True), VGG)


def trained_on_digits() -> torch.nn.Module:
    data = load_dataset("digits")
    norm = data.normalisation
    torch.manual_seed(0)
    model = create_model(DIGITS).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    pixels = (torch.from_numpy(data.train.pixels).float() / 255 - norm.mean[0]) / norm.std[0]
    labels = torch.from_numpy(data.train.labels).long()
    for _ in range(3):
        for batch in torch.randperm(len(labels)).split(64):
            loss = torch.nn.functional.cross_entropy(model(pixels[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def test_a_trained_vgg_is_still_right_at_half_of_its_macs(tmp_path) -> None:
    data, model = load_dataset("digits"), trained_on_digits()
    before = evaluate(model, data.test, data.normalisation).top(1)
    assert before > 0.93
    right = []
    for reconstruct in (0, 512):
        run = run_of(
            tmp_path / str(reconstruct),
            "0.5x",
            model=model,
            training=TrainingContext(data, data.normalisation),
            score_images=32,
            reconstruct=reconstruct,
        )
        run.score()
        smaller = run.cut(run.goal.targets[0])
        assert smaller.spec.macs <= 0.5 * DIGITS.macs
        right.append(evaluate(smaller, data.test, data.normalisation).top(1))
    assert right[1] > max(before - 0.05, right[0] + 0.2)


def test_fitting_leaves_a_model_that_lost_nothing_as_it_is() -> None:
    model = randomised(VGG).eval()
    same = copy.deepcopy(model)
    kept = {s.name: torch.arange(s.units) for s in vgg_structures(VGG)}
    reconstruct_channels(same, model, images_for(VGG, 16), kept)
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(same.state_dict()[name], weight, rtol=0, atol=1e-6)
