"""A whole pruning run on digits: targets met, models that work, and a kill that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from vitprof.compress.groups import Groups
from vitprof.compress.nvit.method import METHOD
from vitprof.compress.nvit.nvit import NViTRun
from vitprof.compress.nvit.objective import NViTObjective
from vitprof.compress.nvit.options import NViTOptions
from vitprof.compress.nvit.redistribution import by_kind
from vitprof.compress.run import TrainingContext
from vitprof.errors import UserError
from vitprof.models import SwinSpec, ViTSpec, create_model
from vitprof.progress import no_progress
from vitprof.spaces.swin import SwinSlabs
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable
from vitprof.training.data.datasets import load_dataset
from vitprof.training.distillation import DistillationLoss
from vitprof.training.evaluate import evaluate
from vitprof.training.loop import TrainingPlan

from ..conftest import context_of, table_of

pytestmark = pytest.mark.slow

SPEC = ViTSpec.uniform(
    32, 2, 2, mlp=64, resolution=8, patch=2, classes=10, in_channels=1, name="digits-vit"
)
SMALL = Groups({"embed": 8, "heads": 1, "qk": 4, "v": 4, "mlp": 8})
TRAINING = TrainingPlan(epochs=0.3, batch=64, learning_rate=1e-3, autocast="fp32")


@pytest.fixture(scope="module")
def data():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return table_of(ViTSlabs.covering(SPEC).blocks(), lambda block: block.macs / 1e6 + 0.01)


@pytest.fixture(scope="module")
def trained(data) -> nn.Module:
    from vitprof.training.loop import TrainingRun

    torch.manual_seed(0)
    plan = TrainingPlan(epochs=8, batch=64, learning_rate=2e-3, autocast="fp32")
    run = TrainingRun(create_model(SPEC), data, data.normalisation, plan, DistillationLoss())
    for _ in run.steps():
        pass
    return run.model.eval()


Make = Callable[..., NViTRun]


@pytest.fixture
def make(trained, data, table, tmp_path) -> Make:
    def make(
        targets: str = "0.7x,0.5x",
        folder: Path | None = None,
        unit="latency",
        ranking="latency",
        sparsify=None,
        training=TRAINING,
        groups=SMALL,
        only=(),
        score="hessian",
        on_progress=no_progress,
        **options,
    ) -> NViTRun:
        model = create_model(SPEC)
        model.load_state_dict(trained.state_dict())
        chosen = {"prune_epochs": 1.0, "prune_every": 4, **options}
        context = context_of(
            model,
            TrainingContext(data, data.normalisation),
            folder or tmp_path / "out",
            table,
            targets,
            unit,
            ranking,
            groups=groups,
            only=only,
            kinds=METHOD.kinds,
            score=score,
            plan=training,
            two_four=sparsify,
            on_progress=on_progress,
        )
        return NViTRun(context, NViTOptions(**chosen), NViTObjective(full=trained))

    return make


def test_every_target_gets_a_model_that_meets_it_and_works(make, data, table, trained) -> None:
    run = make()
    run.prune()
    models = [run.finetune(target) for target in run.goal.targets]
    full = float(table.predict_many([SPEC])[0])
    base = evaluate(trained, data.test, data.normalisation).top(1)
    # The unpruned model is still what it was.
    for name, weight in run.model.state_dict().items():
        torch.testing.assert_close(weight, trained.state_dict()[name], rtol=0, atol=0)
    for target, model in zip(run.goal.targets, models, strict=True):
        cost = float(table.predict_many([model.spec])[0])
        assert 0.9 * target.cost < cost <= target.cost < full
        assert sum(p.numel() for p in model.parameters()) == model.spec.params
        assert evaluate(model, data.test, data.normalisation).top(1) > base - 0.15
    assert models[1].spec.params < models[0].spec.params < SPEC.params
    kinds = [each.kind for each in by_kind(run.sensitivities)]
    assert kinds == ["embed", "heads", "qk", "v", "mlp"]
    assert all(each.latency_ms > 0 and each.importance > 0 for each in run.sensitivities)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("at", [("pruning", 9), ("finetuning 0.5x", 3)], ids=["prune", "finetune"])
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(make, tmp_path, monkeypatch, at) -> None:
    whole = make(folder=tmp_path / "whole")
    whole.prune()
    expected = [whole.finetune(target) for target in whole.goal.targets]

    def kill(what: str, done: int, total: int, words: str) -> None:
        if (what, done) == at:
            raise KilledError

    monkeypatch.setattr("vitprof.training.saved_run.SECONDS_BETWEEN", 0.0)
    with pytest.raises(KilledError):
        first = make(folder=tmp_path / "killed", on_progress=kill)
        first.prune()
        for target in first.goal.targets:
            first.finetune(target)
    again = make(folder=tmp_path / "killed")
    again.prune()
    found = [again.finetune(target) for target in again.goal.targets]
    for one, other in zip(expected, found, strict=True):
        assert one.spec == other.spec
        for name, weight in one.state_dict().items():
            torch.testing.assert_close(other.state_dict()[name], weight, msg=name)
    assert again.sensitivities == whole.sensitivities
    histories = [run.saved.history for run in (whole, again)]
    assert histories[0].to_csv() == histories[1].to_csv()
    stages = {row.stage for row in histories[0].rows}
    assert stages == {"pruning", *(f"finetuning {t.text}" for t in whole.goal.targets)}


@pytest.mark.parametrize(
    "plan",
    [
        {"score": "magnitude"},
        {"score": "taylor"},
        {"score": "random"},
        {"eta": 0.0},
        {"eta": 2.0},
        {"no_head_alignment": True},
        {"allocation": "uniform"},
        {"ranking": "macs"},
        {"ranking": "params"},
    ],
    ids=str,
)
@pytest.mark.few("{'allocation': 'uniform'}", "{'score': 'taylor'}", "{'ranking': 'macs'}")
def test_every_ablation_meets_its_target(make, table, plan) -> None:
    run = make("0.6x", **plan)
    run.prune()
    model = run.finetune(run.goal.targets[0])
    assert float(table.predict_many([model.spec])[0]) <= run.goal.targets[0].cost


@pytest.mark.parametrize("every", [2, 1000])
def test_all_shrunk_alike_is_as_alike_as_groups_allow(make, table, every) -> None:
    """In many small steps, and all at once."""
    run = make("0.6x", allocation="uniform", prune_every=every)
    run.prune()
    spec = run.finetune(run.goal.targets[0]).spec
    for kind in ("heads", "qk", "v", "mlp"):
        widths = [getattr(layer, kind) for layer in spec.layers]
        assert max(widths) - min(widths) <= SMALL.sizes[kind]
        assert max(widths) < getattr(SPEC.layers[0], kind) or kind == "heads"
    assert 0.95 < float(table.predict_many([spec])[0]) / run.goal.targets[0].cost <= 1


@pytest.mark.parametrize("unit", ["macs", "params"])
def test_a_budget_in_macs_or_parameters(make, unit) -> None:
    run = make("0.6x", unit=unit, ranking=unit)
    run.prune()
    model = run.finetune(run.goal.targets[0])
    assert 0.8 < getattr(model.spec, unit) / run.goal.targets[0].cost <= 1


def test_two_four_stays_through_finetuning(make) -> None:
    from vitprof.backends.two_four import is_two_four, prune_two_four

    names: list[str] = []

    def sparsify(model: nn.Module) -> None:
        names[:] = prune_two_four(model)

    groups = Groups({"embed": 16, "heads": 1, "qk": 8, "v": 16, "mlp": 16})
    run = make("0.7x", sparsify=sparsify, sparsity="2:4", groups=groups)
    run.prune()
    model = run.finetune(run.goal.targets[0])
    assert names
    for name in names:
        assert is_two_four(model.get_submodule(name).weight)


def test_without_alignment_the_surplus_stays_zero(make) -> None:
    run = make("0.8x", no_head_alignment=True)
    run.prune()
    pruned = run.saved.load_model("pruned-0.8x")
    zeros = {n: w == 0 for n, w in pruned.named_parameters() if w.ndim > 1}
    model = run.finetune(run.goal.targets[0])
    for name, weight in model.named_parameters():
        if name in zeros:
            assert (weight[zeros[name]] == 0).all()


def test_a_target_out_of_reach_names_the_smallest(make) -> None:
    with pytest.raises(UserError, match=r"out of reach.*\(0\.\d{3}x\); take that or more"):
        make("0.01x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0x", "is not a target above 0"),
        ("1x", "above 0 and below"),
        ("1.2x", "above 0 and below"),
        ("99ms", "above 0 and below"),
        ("fast", "is not a target"),
        ("", "no target"),
        ("0.5x,0.50x", "are the same"),
        ("-1ms", "is not a target"),
        ("nanx", "is not a target"),
    ],
)
def test_bad_targets(make, text, words) -> None:
    with pytest.raises(UserError, match=words):
        make(text)


def test_a_table_that_does_not_cover_the_model_is_refused(make, table) -> None:
    other = ViTSpec.uniform(48, 2, 2, mlp=64, resolution=8, patch=2, classes=10, in_channels=1)
    with pytest.raises(UserError, match="embed"):
        table.predict(other)


def test_only_some_structures_shrink(make) -> None:
    run = make("0.8x", only=("layers.1.",))
    run.prune()
    spec = run.finetune(run.goal.targets[0]).spec
    assert (spec.embed, spec.layers[0]) == (SPEC.embed, SPEC.layers[0])
    assert spec.layers[1] != SPEC.layers[1]
    with pytest.raises(UserError, match="nothing of digits-vit may shrink"):
        make("0.8x", only=("stages.2.",))


def test_one_stage_of_a_swin(data, tmp_path) -> None:
    spec = SwinSpec.uniform(
        32,
        [1, 2],
        [2, 4],
        mlp_ratio=2,
        patch=1,
        window=4,
        resolution=8,
        in_channels=1,
        classes=10,
        name="digits-swin",
    )
    table = table_of(SwinSlabs.covering(spec).blocks(), lambda block: block.macs / 1e6 + 0.01)
    torch.manual_seed(0)
    context = context_of(
        create_model(spec),
        TrainingContext(data, data.normalisation),
        tmp_path / "out",
        table,
        "0.8x",
        groups=SMALL,
        only=("stages.1.",),
        kinds=METHOD.kinds,
        score="hessian",
        plan=TRAINING,
    )
    run = NViTRun(context, NViTOptions(prune_epochs=0.5, prune_every=2), NViTObjective())
    run.prune()
    found = run.finetune(run.goal.targets[0])
    assert found.spec.stages[0] == spec.stages[0]
    assert found.spec.stages[1] != spec.stages[1]
    cost = float(table.predict_many([found.spec])[0])
    assert 0.9 * run.goal.targets[0].cost < cost <= run.goal.targets[0].cost
    evaluate(found, data.test, data.normalisation)


def test_the_rate_while_it_shrinks_rises_over_a_share_of_its_own(make, monkeypatch) -> None:
    """And stays: what finetuning does over its epochs plays no part."""
    rates: dict[str, list[float]] = {}
    runs = []

    def note_rate(phase: str, done: int, total: int, words: str) -> None:
        rates.setdefault(phase, []).append(runs[-1].optimizer.param_groups[0]["lr"])

    training = TrainingPlan(epochs=0.2, batch=64, learning_rate=1e-3, warmup=1.0, autocast="fp32")
    run = make(
        "0.8x",
        training=training,
        on_progress=note_rate,
        prune_epochs=0.5,
        prune_learning_rate=1e-4,
        prune_warmup=0.2,
    )
    of = run._training_of
    monkeypatch.setattr(run, "_training_of", lambda *given: runs.append(of(*given)) or runs[-1])
    run.prune()
    steps = len(rates["pruning"])
    assert runs[0].warmup_steps == round(0.2 * steps) > 1
    assert rates["pruning"][runs[0].warmup_steps - 1 :] == pytest.approx(
        [1e-4] * (steps - runs[0].warmup_steps + 1)
    )
    assert rates["pruning"][0] == pytest.approx(1e-4 / runs[0].warmup_steps)
