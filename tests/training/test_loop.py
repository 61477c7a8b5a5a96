"""The loop learns, follows its seed, goes on after a stop, and shares work exactly."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import ViTSpec, create_model
from vitprof.training.data.images import Normalisation
from vitprof.training.distillation import DistillationLoss
from vitprof.training.evaluate import evaluate
from vitprof.training.loop import TrainingPlan, TrainingRun
from vitprof.training.schedule import learning_rate_factor

pytestmark = pytest.mark.slow

SPEC = ViTSpec.uniform(32, 2, 2, resolution=8, patch=2, classes=10, in_channels=1)
PLAN = TrainingPlan(epochs=1, batch=64, learning_rate=2e-3, autocast="fp32", augment="light")


def run_of(digits, plan=PLAN, seed: int = 0) -> TrainingRun:
    torch.manual_seed(seed)
    return TrainingRun(create_model(SPEC), digits, digits.normalisation, plan, DistillationLoss())


def weights(run: TrainingRun) -> dict[str, torch.Tensor]:
    return {name: w.clone() for name, w in run.model.state_dict().items()}


def same(first, second) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_digits(digits) -> None:
    run = run_of(digits, replace(PLAN, epochs=25, learning_rate=8e-3, augment="none"))
    before = evaluate(run.model, digits.test, digits.normalisation)
    losses = [progress.loss for progress in run.steps()]
    after = evaluate(run.model, digits.test, digits.normalisation)
    assert losses[-1] < 0.7 * losses[0]
    assert before.top(1) < 0.3
    assert after.top(1) > 0.85
    assert after.top(1) <= after.top(3) <= after.top(5)
    assert run.model.training


def test_images_come_in_the_layout_that_convolutions_are_fastest_on(digits) -> None:
    seen: list[torch.Tensor] = []
    model = create_model(ViTSpec.uniform(32, 2, 1, resolution=8, patch=2, classes=10))

    def objective(model, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return DistillationLoss()(model, images, targets)

    parts = [replace(p, pixels=p.pixels.repeat(3, axis=1)) for p in (digits.train, digits.test)]
    colour = replace(digits, train=parts[0], test=parts[1])
    norm = Normalisation((0.5,) * 3, (0.25,) * 3)
    run = TrainingRun(model, colour, norm, PLAN, objective)
    next(run.steps())
    assert seen[0].shape == (64, 3, 8, 8)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_the_seed_decides_everything(digits) -> None:
    first, again = run_of(digits), run_of(digits)
    other = run_of(digits, replace(PLAN, seed=1))
    for run in (first, again, other):
        for _, progress in zip(range(4), run.steps(), strict=False):
            assert math.isfinite(progress.loss)
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_a_run_that_is_restored_ends_as_if_it_had_not_stopped(digits, tmp_path) -> None:
    whole, stopped, restored = run_of(digits), run_of(digits), run_of(digits, seed=9)
    for _ in whole.steps():
        pass
    for progress in stopped.steps():
        if progress.step == 7:
            break
    torch.save(stopped.state(), tmp_path / "state.pt")
    restored.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    steps = [p.step for p in restored.steps()]
    assert steps[0] == 8
    assert same(weights(whole), weights(restored))
    assert restored.progress.loss == pytest.approx(whole.progress.loss)


def test_a_model_that_is_exchanged_keeps_its_averages(digits) -> None:
    run, plain = run_of(digits), run_of(digits)
    for _, _ in zip(range(5), run.steps(), strict=False):
        pass
    for _, _ in zip(range(8), plain.steps(), strict=False):
        pass
    copy = create_model(SPEC)
    copy.load_state_dict(run.model.state_dict())
    run.replace_model(copy, lambda name, tensor: tensor)
    for _, _ in zip(range(3), run.steps(), strict=False):
        pass
    assert same(weights(run), weights(plain))


def test_a_loss_that_is_no_number_is_said(digits) -> None:
    run = run_of(digits)
    with torch.no_grad():
        run.model.head.bias.fill_(math.nan)
    with pytest.raises(UserError, match="loss became nan at step 1"):
        next(run.steps())


def test_the_learning_rate_rises_and_falls() -> None:
    factors = [learning_rate_factor(step, 100, 10) for step in range(100)]
    assert factors[:10] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] < 0.001
    assert learning_rate_factor(99, 100, 10, decay=False) == 1


SCRIPT = """
import sys, torch
from vitprof.models import ViTSpec, create_model
from vitprof.training.data.datasets import load_dataset
from vitprof.training.loop import TrainingPlan, TrainingRun
from vitprof.training.distillation import DistillationLoss
from vitprof.training.processes import joined_processes
torch.set_num_threads(1)
data = load_dataset("digits")
plan = TrainingPlan(epochs=1, batch=64, learning_rate=2e-3, autocast="fp32",
                    augment="deit", stochastic_depth=0.3)
with joined_processes(torch.device("cpu")) as processes:
    torch.manual_seed(0)
    spec = ViTSpec.uniform(32, 2, 2, resolution=8, patch=2, classes=10, in_channels=1)
    run = TrainingRun(create_model(spec), data, data.normalisation, plan, DistillationLoss(),
                      processes=processes)
    run.restore(torch.load(sys.argv[2], weights_only=True))
    for _, _ in zip(range(3), run.steps()):
        pass
    if processes.is_first:
        torch.save(run.state()["weights"], sys.argv[1])
"""


@pytest.mark.timeout(600)
def test_two_processes_go_on_as_one_does(digits, tmp_path: Path) -> None:
    """A run that one process began is the same whether one or two take it on."""
    script, out, begun = (tmp_path / name for name in ("train.py", "weights.pt", "state.pt"))
    script.write_text(SCRIPT)
    run = run_of(digits, replace(PLAN, augment="deit", stochastic_depth=0.3))
    for _, _ in zip(range(2), run.steps(), strict=False):
        pass
    torch.save(run.state(), begun)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            str(script),
            str(out),
            str(begun),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for _, _ in zip(range(3), run.steps(), strict=False):
        pass
    together = torch.load(out, weights_only=True)
    for name, weight in weights(run).items():
        torch.testing.assert_close(together[name], weight, rtol=1e-4, atol=1e-5)
