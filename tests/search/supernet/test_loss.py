"""Which subnets a step trains, what their loss is, and that a run goes on as it would have."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from vitprof.models import create_model
from vitprof.search.supernet.loss import SupernetLoss
from vitprof.search.supernet.supernet import Supernet
from vitprof.training.distillation import Teaching
from vitprof.training.evaluate import evaluate
from vitprof.training.loop import TrainingPlan, TrainingRun
from vitprof.training.losses import soft_cross_entropy

pytestmark = pytest.mark.slow

PLAN = TrainingPlan(epochs=1, batch=64, learning_rate=2e-3, autocast="fp32", augment="none")


def run_of(space, digits, plan=PLAN, seed: int = 0, **options) -> TrainingRun:
    torch.manual_seed(seed)
    supernet = Supernet(create_model(space.supernet_spec()))
    objective = SupernetLoss(space, lambda: run.progress.step, plan.seed, **options)
    run = TrainingRun(supernet, digits, digits.normalisation, plan, objective)
    return run


def weights(run: TrainingRun) -> dict[str, torch.Tensor]:
    return {name: w.clone() for name, w in run.model.state_dict().items()}


def same(first, second) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_each_step_draws_its_subnet_from_seed_and_step(tiny_vit) -> None:
    def specs(seed: int) -> list:
        return [SupernetLoss(tiny_vit, lambda s=s: s, seed).specs() for s in range(200)]

    drawn = specs(0)
    assert drawn == specs(0)
    assert drawn != specs(1)
    assert all(len(of_step) == 1 for of_step in drawn)
    embeds = [spec.embed for (spec,) in drawn]
    # Uniform: 100 of 200 expected, with a standard deviation of 7.
    assert 70 < embeds.count(16) < 130
    assert sum(a != b for a, b in itertools.pairwise(embeds)) > 60


def test_the_sandwich_has_largest_smallest_and_random_ones(tiny_vit) -> None:
    specs = SupernetLoss(tiny_vit, lambda: 3, sandwich=2).specs()
    assert len(specs) == 4
    assert specs[0] == tiny_vit.spec(tiny_vit.largest())
    assert specs[1] == tiny_vit.spec(tiny_vit.smallest())
    assert len(SupernetLoss(tiny_vit, lambda: 3, sandwich=0).specs()) == 2
    with pytest.raises(ValueError, match="sandwich"):
        SupernetLoss(tiny_vit, lambda: 3, distill_in_place=True)


def test_losses_by_hand(tiny_vit) -> None:
    torch.manual_seed(0)
    supernet = Supernet(create_model(tiny_vit.supernet_spec()))
    images, targets = torch.randn(6, 1, 8, 8), torch.eye(10)[:6]
    large, small, other = (
        supernet.extract(s)(images) for s in SupernetLoss(tiny_vit, lambda: 3, sandwich=1).specs()
    )
    plain = SupernetLoss(tiny_vit, lambda: 3, sandwich=1)(supernet, images, targets)
    expected = sum(soft_cross_entropy(logits, targets) for logits in (large, small, other)) / 3
    torch.testing.assert_close(plain, expected)

    in_place = SupernetLoss(tiny_vit, lambda: 3, sandwich=1, distill_in_place=True)
    said = large.softmax(-1)
    kl = [(said * (said.log() - x.log_softmax(-1))).sum(-1).mean() for x in (small, other)]
    loss = in_place(supernet, images, targets)
    torch.testing.assert_close(loss, (soft_cross_entropy(large, targets) + sum(kl)) / 3)

    teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    labels = teacher(images).argmax(-1)
    taught = SupernetLoss(tiny_vit, lambda: 3, sandwich=0, teaching=Teaching(teacher))
    pairs = [soft_cross_entropy(x, targets) + F.cross_entropy(x, labels) for x in (large, small)]
    torch.testing.assert_close(taught(supernet, images, targets), sum(pairs) / 4)
    soft = SupernetLoss(
        tiny_vit, lambda: 3, sandwich=0, teaching=Teaching(teacher, "soft", 0.2, 2.0)
    )
    q = (teacher(images) / 2).softmax(-1)
    kl = [(q * (q.log() - (x / 2).log_softmax(-1))).sum(-1).mean() for x in (large, small)]
    label = [soft_cross_entropy(x, targets) for x in (large, small)]
    expected = (0.8 * sum(label) + 0.2 * 4 * sum(kl)) / 2
    torch.testing.assert_close(soft(supernet, images, targets), expected)
    assert all(p.grad is None for p in teacher.parameters())


def test_the_largest_does_not_learn_from_who_learns_from_it(tiny_vit) -> None:
    torch.manual_seed(0)
    supernet = Supernet(create_model(tiny_vit.supernet_spec()))
    alone = copy.deepcopy(supernet.model)
    images, targets = torch.randn(6, 1, 8, 8), torch.eye(10)[:6]
    in_place = SupernetLoss(tiny_vit, lambda: 3, sandwich=0, distill_in_place=True)
    (2 * in_place(supernet, images, targets)).backward()
    soft_cross_entropy(alone(images), targets).backward()
    # What only the largest has: the smallest's loss must not reach it through the answers.
    last = supernet.model.blocks[1].mlp.fc1.weight.grad
    torch.testing.assert_close(last, alone.blocks[1].mlp.fc1.weight.grad)


@pytest.mark.few("vit*", "swin")
def test_a_run_that_is_restored_ends_as_if_it_had_not_stopped(space, tiny_vit, digits) -> None:
    if space is not tiny_vit:
        digits = _larger(digits, space.supernet_spec().resolution // 8)
    runs = [run_of(space, digits, sandwich=1) for _ in range(2)]
    runs.append(run_of(space, digits, sandwich=1, seed=9))
    whole, stopped, restored = runs
    for _ in zip(range(6), whole.steps(), strict=False):
        pass
    for _ in zip(range(3), stopped.steps(), strict=False):
        pass
    restored.restore(stopped.state())
    for _ in zip(range(3), restored.steps(), strict=False):
        pass
    assert whole.progress == restored.progress
    assert same(weights(whole), weights(restored))
    assert not same(weights(whole), weights(stopped))


@pytest.mark.long
def test_every_subnet_learns(tiny_vit, digits) -> None:
    plan = replace(PLAN, epochs=14, learning_rate=8e-3)
    run = run_of(tiny_vit, digits, plan)
    for _ in run.steps():
        pass
    drawn = tiny_vit.sample(np.random.default_rng(5), 2)
    for candidate in (tiny_vit.smallest(), tiny_vit.largest(), *drawn):
        model = run.model.extract(tiny_vit.spec(candidate))
        assert evaluate(model, digits.test, digits.normalisation).top(1) > 0.3


def _larger(data, times: int):
    from vitprof.training.data.images import Dataset

    def grown(images):
        kept = images.take(range(400))
        return type(images)(
            kept.pixels.repeat(times, 2).repeat(times, 3), kept.labels, kept.classes
        )

    return Dataset(grown(data.train), grown(data.test.take(range(100)).take(np.arange(400) % 100)))
