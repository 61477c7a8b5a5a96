"""What a plan adds to the loop: parts, averages, fp16, less memory, images from disk."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace

import pytest
import torch
from torch import nn
from vitprof.models import ViTSpec, create_model
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.kept_where import Loading
from vitprof.training.distillation import DistillationLoss
from vitprof.training.loop import TrainingPlan, TrainingRun
from vitprof.training.schedule import learning_rate_factor

pytestmark = pytest.mark.slow

SPEC = ViTSpec.uniform(32, 2, 2, resolution=8, patch=2, classes=10, in_channels=1)
PLAN = TrainingPlan(epochs=1, batch=64, learning_rate=2e-3, autocast="fp32", augment="light")


def run_of(digits, plan=PLAN, seed: int = 0) -> TrainingRun:
    torch.manual_seed(seed)
    return TrainingRun(create_model(SPEC), digits, digits.normalisation, plan, DistillationLoss())


def after(digits, steps: int = 4, **changed) -> dict[str, torch.Tensor]:
    run = run_of(digits, replace(PLAN, **changed))
    for _, _ in zip(range(steps), run.steps(), strict=False):
        pass
    return {name: weight.clone() for name, weight in run.model.state_dict().items()}


def hooks_of(model: nn.Module) -> list:
    return [h for m in model.modules() for h in (*m._forward_hooks, *m._forward_pre_hooks)]


@pytest.mark.parametrize("changed", [{"accumulate": 3}, {"checkpointing": True}])
def test_what_only_saves_memory_changes_nothing(digits, changed) -> None:
    usual = {"augment": "deit", "stochastic_depth": 0.4, "patch_dropout": 0.5}
    plain, saved = after(digits, **usual), after(digits, **usual, **changed)
    for name, weight in plain.items():
        torch.testing.assert_close(saved[name], weight, rtol=1e-4, atol=1e-5)


def test_checkpointing_is_taken_away_again(digits) -> None:
    run = run_of(digits, replace(PLAN, checkpointing=True))
    blocks = [module for module in run.model.modules() if "forward" in module.__dict__]
    assert blocks
    assert not any("forward" in module.__dict__ for module in run.result().modules())


def test_muon_goes_on_where_a_run_stopped(digits) -> None:
    plan = replace(PLAN, optimizer="muon")
    whole = run_of(digits, plan)
    steps = whole.steps()
    next(steps)
    state = copy.deepcopy(whole.state())
    next(steps)
    resumed = run_of(digits, plan)
    resumed.restore(state)
    next(resumed.steps())
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name])


@pytest.mark.parametrize("option", ["stochastic_depth", "patch_dropout"])
def test_what_is_left_out_goes_on_where_a_run_stopped_and_leaves_with_it(digits, option) -> None:
    plan = replace(PLAN, **{option: 0.5})
    whole = run_of(digits, plan)
    next(whole.steps())
    state = copy.deepcopy(whole.state())
    next(whole.steps())
    resumed = run_of(digits, plan)
    resumed.restore(state)
    next(resumed.steps())
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name])
    plain = after(digits, 2)
    assert not torch.equal(plain["head.weight"], whole.model.state_dict()["head.weight"])
    assert hooks_of(whole.model)
    assert not hooks_of(whole.result())


def test_the_result_is_the_average_where_there_is_one(digits) -> None:
    run = run_of(digits, replace(PLAN, ema=0.5))
    wanted = {name: weight.clone() for name, weight in run.model.state_dict().items()}
    for _, _ in zip(range(3), run.steps(), strict=False):
        for name, weight in run.model.state_dict().items():
            wanted[name] = 0.5 * wanted[name] + 0.5 * weight
    for name, weight in run.result().state_dict().items():
        torch.testing.assert_close(weight, wanted[name])


def test_a_run_in_fp16_goes_on_with_its_scale(digits) -> None:
    first = run_of(digits, replace(PLAN, autocast="fp16"))
    for _, _ in zip(range(2), first.steps(), strict=False):
        pass
    state = copy.deepcopy(first.state())
    again = run_of(digits, replace(PLAN, autocast="fp16"))
    again.restore(state)
    assert again.scaler.get_scale() == first.scaler.get_scale() > 1
    for one, other in zip((next(first.steps()),), (next(again.steps()),), strict=True):
        assert one == other


def test_a_learning_rate_ends_at_its_floor() -> None:
    assert learning_rate_factor(100, 100, 10, floor=0.01) == pytest.approx(0.01)
    assert learning_rate_factor(55, 100, 10, floor=0.2) == pytest.approx(0.6)


def test_what_a_model_draws_follows_from_the_step(digits) -> None:
    drawn = []
    run = run_of(digits)
    run.after_step = lambda model: drawn.append(torch.rand(3))
    for _, _ in zip(range(3), run.steps(), strict=False):
        pass
    torch.rand(5)
    again = run_of(digits)
    again.restore(run.state() | {"step": 2})
    again.after_step = lambda model: drawn.append(torch.rand(3))
    next(again.steps())
    assert drawn[3].equal(drawn[2])
    assert not drawn[1].equal(drawn[2])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_from_disk_resumes_inside_an_epoch(make_folder, workers: int) -> None:
    folder = make_folder(size=(12, 10), count=20)
    data = load_dataset(str(folder), 8, loading=Loading("disk", workers))
    assert data.train.stored is not None
    plan = TrainingPlan(2, 8, 1e-3, augment="deit", autocast="fp32", repeats=2)
    spec = replace(SPEC, in_channels=3, classes=2)

    def begun() -> TrainingRun:
        torch.manual_seed(0)
        return TrainingRun(create_model(spec), data, data.normalisation, plan, DistillationLoss())

    whole = begun()
    for progress in whole.steps():
        if progress.step == 3:
            state = copy.deepcopy(whole.state())
    assert whole.steps_an_epoch == 4
    resumed = begun()
    resumed.restore(state)
    assert len(list(resumed.steps())) == 5
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name])


@pytest.fixture
def quickly_compiled(monkeypatch) -> None:
    """Have a backend that makes no machine code, which takes half a minute."""
    quick = functools.partial(torch.compile, backend="aot_eager")
    in_place = functools.partialmethod(nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", quick)
    monkeypatch.setattr(nn.Module, "compile", in_place)


def test_compiled_it_learns_the_same_and_is_compiled_once(digits, quickly_compiled) -> None:
    """What is left out changes with every step; what is compiled must not."""
    from torch._dynamo.utils import counters

    left_out = {"stochastic_depth": 0.3, "patch_dropout": 0.5}
    plan = replace(PLAN, **left_out)
    compiled = run_of(digits, replace(plan, compile=True))
    steps = compiled.steps()
    next(steps)
    graphs = counters["stats"]["unique_graphs"]
    assert graphs > 0
    next(steps)
    assert counters["stats"]["unique_graphs"] == graphs
    plain = after(digits, 2, **left_out)
    for name, weight in compiled.result().state_dict().items():
        torch.testing.assert_close(weight, plain[name], rtol=1e-3, atol=1e-4)


def test_a_compiled_run_leaves_out_nothing_that_an_earlier_one_did(
    digits, quickly_compiled
) -> None:
    """Models of a class share compiled code, which has hooks of the one that came first."""
    after(digits, 1, compile=True, stochastic_depth=0.9)
    for left_out in ({}, {"patch_dropout": 0.5}):
        compiled, plain = after(digits, 2, compile=True, **left_out), after(digits, 2, **left_out)
        for name, weight in compiled.items():
            torch.testing.assert_close(weight, plain[name], rtol=1e-3, atol=1e-4)
