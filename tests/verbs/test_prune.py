"""`vitprof.prune` in Python: what it takes, what comes back, and a method of another wheel."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import vitprof
from vitprof.compress.methods import RESERVED, all_methods, find_method
from vitprof.errors import UserError
from vitprof.models import SwinSpec, ViTSpec, create_model
from vitprof.option_fields import option_fields
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.data.datasets import load_dataset
from vitprof.training.model_folder import write_model
from vitprof.verbs.paper_tables.of_report import paper_table

pytestmark = pytest.mark.slow

SPEC = ViTSpec.uniform(
    32, 2, 4, mlp=64, resolution=8, patch=2, classes=10, in_channels=1, name="digits-vit"
)
QUICK = {
    "epochs": 0.1,
    "prune_epochs": 0.3,
    "prune_every": 2,
    "batch": 64,
    "autocast": "fp32",
    "groups": {"embed": 8, "heads": 1, "qk": 4, "v": 4, "mlp": 8},
}
ONE_SHOT = {
    "method": "optin",
    "score_images": 8,
    "reconstruct": 100,
    "groups": "heads=1,mlp=8",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "digits-vit"
    torch.manual_seed(0)
    write_model(create_model(SPEC), folder, load_dataset("digits").normalisation)
    return folder


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    rows = [
        Row(
            block,
            latency_ms=ms,
            low_ms=ms,
            high_ms=ms,
            min_ms=ms,
            p10_ms=ms,
            p90_ms=ms,
            p99_ms=ms,
            session_ms=(ms,) * 3,
            samples=9,
        )
        for block in dict.fromkeys(ViTSlabs.covering(SPEC).with_merging().blocks())
        for ms in [block.macs / 1e6 + 0.01]
    ]
    return LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider"))


def test_one_target_while_training(model, table, tmp_path) -> None:
    stages: dict[str, int] = {}

    def show(stage: str, done: int, total: int, detail: str) -> None:
        stages[stage] = done

    run = vitprof.prune(
        model, table, target="0.6x", data="digits", out=tmp_path / "out", progress=show, **QUICK
    )
    best = run.best
    assert best.path == tmp_path / "out"
    assert best.spec == vitprof.create_spec(tmp_path / "out")
    assert best.predicted_ms == table.predict(best.spec).ms <= best.target_ms
    assert best.target_ms == pytest.approx(0.6 * run.base.predicted_ms)
    assert best.measured_ms is None
    assert 0 <= best.top1 <= 1
    assert {"pruning", "finetuning 0.6x", "testing"} <= set(stages)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report == json.loads(json.dumps(run.report()))
    assert vitprof.create_spec(tmp_path / "out" / "base.json") == run.base.spec
    rows = paper_table(tmp_path / "out", [table]).rows
    assert [row[0] for row in rows] == ["digits-vit", "digits-vit 0.6x"]
    assert rows[1][6] == rows[1][7] == f"{run.base.predicted_ms / best.predicted_ms:.2f}"
    frame = run.to_frame()
    assert list(frame["model"]) == ["digits-vit", "digits-vit-0.6x"]
    assert frame["speedup"][1] == pytest.approx(run.base.predicted_ms / best.predicted_ms)
    assert "digits-vit pruned by nvit to 0.6x" in repr(run)
    assert "<table" in run._repr_html_()
    assert len(run.plot(tmp_path / "plot.png").axes) == 3
    assert (tmp_path / "plot.png").stat().st_size > 1000
    run.save(tmp_path / "copy")
    assert vitprof.create_spec(tmp_path / "copy") == best.spec
    with pytest.raises(UserError, match="not empty"):
        run.save(tmp_path / "copy")
    with pytest.raises(UserError, match="finished run"):
        vitprof.prune(model, table, target="0.6x", data="digits", out=tmp_path / "out", **QUICK)


@pytest.mark.parametrize(
    ("given", "alpha", "tau"),
    [({}, 9.0, 3.0), ({"tau": 2}, 4.0, 2.0), ({"alpha": "0.5"}, 0.5, 3.0)],
)
def test_nvits_objective_is_made_of_the_options(
    model, table, tmp_path, monkeypatch, given, alpha, tau
) -> None:
    from vitprof.compress.nvit import objective

    made, real = [], objective.NViTObjective

    def seen(*arguments: object) -> objective.NViTObjective:
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(objective, "NViTObjective", seen)
    least = {**QUICK, "epochs": 0, "prune_epochs": 0.1}
    out = tmp_path / "out"
    vitprof.prune(
        model, table, target="0.9x", data="digits", out=out, teacher=model, **least, **given
    )
    (only,) = made
    assert (only.alpha, only.tau) == (alpha, tau)
    unpruned, teacher = (create_model(SPEC, checkpoint=model).state_dict(), only.teacher)
    for name, weight in only.full.state_dict().items():
        torch.testing.assert_close(weight, unpruned[name], rtol=0, atol=0)
    assert not teacher.training


def test_measured_ratios_are_of_the_unpruned_model_measured_beside(
    model, table, tmp_path, monkeypatch, capsys
) -> None:
    """Milliseconds that are 1.9 times the table's change no ratio."""
    from vitprof.cli.reports.pruned import print_pruned
    from vitprof.profiler import remeasure, target

    asked = {}

    def measured(table, specs, purpose, on_progress, beside):
        asked.update(specs=specs, beside=beside)
        slower = [1.9, *(1.9 * 1.04 for _ in specs[1:])]
        return [f * table.predict(spec).ms for f, spec in zip(slower, specs, strict=True)], True

    monkeypatch.setattr(remeasure, "verified_ms", measured)
    monkeypatch.setattr(target, "target_of_table", lambda table: None)
    run = vitprof.prune(
        model,
        table,
        target="0.9x,0.8x",
        data="digits",
        out=tmp_path / "out",
        verify=True,
        **ONE_SHOT,
    )
    assert asked["beside"] == asked["specs"][0] == run.base.spec
    assert run.base.measured_ratio == run.base.predicted_ratio == 1
    for each, record in zip(run.models, run.report()["models"], strict=True):
        assert each.predicted_ratio == pytest.approx(each.predicted_ms / run.base.predicted_ms)
        assert each.measured_ratio == pytest.approx(1.04 * each.predicted_ratio)
        assert record["measured_ratio"] == each.measured_ratio
        assert record["predicted_ratio"] == each.predicted_ratio
    assert list(run.to_frame()["measured_ratio"][1:]) == [m.measured_ratio for m in run.models]
    print_pruned(run.report())
    said = capsys.readouterr().out.splitlines()
    best = run.best
    assert (
        f"0.8x: measured {best.measured_ms:.4g} ms, {best.measured_ratio:.3f}x of the unpruned "
        f"model's {run.base.measured_ms:.4g} ms (predicted {best.predicted_ratio:.3f}x)"
    ) in said


def test_a_table_that_is_mostly_unstable_is_told(model, table, tmp_path, caplog) -> None:
    rows = [replace(row, verdict="unstable") for row in table.rows]
    shaky = LatencyTable(rows, table.setting)
    given = {"target": "0.9x", "data": "digits", "method": "heads", "reconstruct": 0}
    run = vitprof.prune(model, table, out=tmp_path / "fine", **given)
    assert "unstable" not in caplog.text
    assert run.best.measured_ratio is None
    vitprof.prune(model, shaky, out=tmp_path / "shaky", **given)
    assert f"{len(rows)} of the {len(rows)} measured points of " in caplog.text


def test_several_targets_in_one_shot_and_what_is_kept_over_latency(model, table, tmp_path) -> None:
    run = vitprof.prune(
        model,
        table,
        target=["0.9x", 0.8 * table.predict(SPEC).ms],
        data="digits",
        out=tmp_path / "out",
        **ONE_SHOT,
    )
    assert run.models[0].target == "0.9x"
    assert run.models[1].target_ms == pytest.approx(0.8 * run.base.predicted_ms)
    assert run.best is run.models[1]
    assert {each.path.parent for each in run.models} == {tmp_path / "out"}
    (axes,) = run.figure().axes
    assert axes.get_xlabel() == "latency, ms"


@pytest.mark.parametrize(("unit", "target"), [("target_macs", "0.8x"), ("target_params", 15000)])
def test_macs_and_parameters_are_counts(model, table, tmp_path, unit, target) -> None:
    run = vitprof.prune(
        model,
        table,
        **{unit: target},
        data="digits",
        out=tmp_path / "out",
        method="heads",
        reconstruct=0,
    )
    most = target if unit == "target_params" else 0.8 * SPEC.macs
    assert getattr(run.best.spec, unit.removeprefix("target_")) <= most
    assert run.best.target_ms is None


def test_heads_of_least_norm_are_as_few_as_the_target_asks(model, table, tmp_path) -> None:
    run = vitprof.prune(
        model,
        table,
        target="0.9x,0.8x",
        data="digits",
        out=tmp_path / "out",
        method="heads",
        groups="heads=1",
        reconstruct=100,
    )
    for each in run.models:
        layers = each.spec.layers
        assert each.predicted_ms <= each.target_ms
        assert (each.spec.embed, [layer.mlp for layer in layers]) == (SPEC.embed, [64, 64])
    first, second = (sum(layer.heads for layer in each.spec.layers) for each in run.models)
    assert first > second
    one_more = run.models[0].spec
    # With a head more the target would not be met, whichever layer has it.
    from vitprof.models.structures.prunable import prunable_of

    prunable = prunable_of(one_more)
    for structure in prunable.structures(one_more, True):
        if structure.kind == "heads" and structure.units < 4:
            wider = prunable.with_units(one_more, {structure.name: structure.units + 1})
            assert table.predict(wider).ms > run.models[0].target_ms


def test_a_run_goes_on_with_another_table_object_and_begins_anew_if_asked(
    model, table, tmp_path, monkeypatch
) -> None:
    given = {"target": "0.9x", "data": "digits", "out": tmp_path / "out", **ONE_SHOT}
    vitprof.prune(model, table, **given)
    with pytest.raises(UserError, match="finished run"):
        vitprof.prune(model, table, **given)
    assert vitprof.prune(model, table, fresh=True, **given).best.target == "0.9x"
    (tmp_path / "out" / "report.json").unlink()
    with pytest.raises(UserError, match="seed 0 -> 1"):
        vitprof.prune(model, table, seed=1, **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give one of `target`, `target_macs` and `target_params`"),
        ({"target": "0.5x", "target_macs": "0.5x"}, "not several"),
        ({"target": "fast"}, "is not a target"),
        ({"target": "0.01x"}, "out of reach"),
        ({"target": "0.5x", "method": "opin"}, "did you mean 'optin'"),
        ({"target": "0.5x", "alphas": 1}, "no option `alphas` (did you mean 'alpha'?)"),
        ({"target": "0.5x", "alpha": -1}, "`alpha` -1 is neither auto nor a number from 0 on"),
        ({"target": "0.5x", "eta": "lots"}, "`eta` lots is neither auto nor a number from 0 on"),
        ({"target": "0.5x", "prune_every": 2.5}, "`prune_every` 2.5 is not a whole number from 1"),
        ({"target": "0.5x", "allocation": "globally"}, "did you mean 'global'"),
        ({"target": "0.5x", "teacher": 3}, "`teacher` 3 is not a path"),
        ({"target": "0.5x", "teacher_cache": "kept"}, "`teacher_cache` keeps a teacher's answers"),
        ({"target": "0.5x", "method": "optin", "epochs": 3}, "`epochs` belongs to `method` nvit"),
        ({"target": "0.5x", "method": "heads", "credit": "macs"}, "`credit` has no effect"),
        ({"target": "0.5x", "require_batch": 8}, "batch"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_sentence(model, table, tmp_path, given, words) -> None:
    with pytest.raises(UserError) as caught:
        vitprof.prune(model, table, data="digits", out=tmp_path / "out", **given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_model_without_what_a_method_takes_is_told_which_does(table, tmp_path) -> None:
    swin = SwinSpec.uniform(32, [1], [2], patch=1, window=4, resolution=8, in_channels=1, classes=9)
    with pytest.raises(UserError, match="no weights to prune"):
        vitprof.prune(swin, table, target="0.5x", data="digits", out=tmp_path / "out")
    with pytest.raises(UserError, match="has channels, which `method` optin prunes"):
        find_method("nvit").check_kinds(SPEC, {"channels"})


def test_every_method_tells_its_options_once_and_no_name_twice() -> None:
    parameters = set(inspect.signature(vitprof.prune).parameters) - {"options"}
    assert parameters <= set(RESERVED)
    for method in all_methods():
        for field in option_fields(method.Options):
            assert field.name not in RESERVED
            assert field.taken(field.default) == field.default
            assert field.help and not field.help.endswith(".")


# --- a method of another wheel: one file ----------------------------------------------------------

HALVES = """
from dataclasses import dataclass
from typing import Literal
import torch
from vitprof.compress.cutting import keeping, smaller_model
from vitprof.compress.methods import Method, option
from vitprof.compress.run import PrunedRun
from vitprof.models.structures.prunable import prunable_of

@dataclass(frozen=True)
class Options:
    at_once: int = option(8, "neurons that leave every MLP at once", at_least=1)
    end: Literal["first", "last"] = option("last", "which neurons go")

class Halves(Method[Options]):
    name, help, Options, kinds = "halves", "all MLPs alike", Options, ("mlp",)

    def run(self, context, options):
        goal, models = context.goal, []
        structures = prunable_of(context.spec).structures(context.spec, True)
        for target in goal.targets:
            for gone in range(0, 64, options.at_once):
                kept = slice(None, 64 - gone) if options.end == "last" else slice(gone, None)
                staying = {s.name: torch.arange(64)[kept] for s in structures if s.kind == "mlp"}
                made = smaller_model(context.base, keeping(context.base, staying))
                if goal.budget.of([made.spec])[0] <= target.cost:
                    break
            models.append(made.eval())
        return PrunedRun(context.base, models)

METHOD = Halves()
"""


@pytest.fixture
def halves(install_wheel: Callable[..., None], monkeypatch) -> None:
    install_wheel("halves", {"vitprof.methods": {"halves": "halving:METHOD"}}, halving=HALVES)
    # The command has the options of the methods that there were when it was read.
    for name in ("prune", "prune_heads"):
        monkeypatch.delitem(sys.modules, f"vitprof.cli.commands.{name}", raising=False)


def test_a_method_of_another_wheel_runs(halves, model, table, tmp_path) -> None:
    run = vitprof.prune(
        model,
        table,
        target="0.9x",
        data="digits",
        out=tmp_path / "out",
        method="halves",
        at_once=4,
        end="first",
    )
    first, second = run.best.spec.layers
    assert first.mlp == second.mlp < 64
    assert first.mlp % 4 == 0
    assert run.best.predicted_ms <= run.best.target_ms
    kept = create_model(tmp_path / "out", checkpoint=tmp_path / "out").state_dict()
    before = create_model(model, checkpoint=model).state_dict()
    name = "blocks.0.mlp.fc1.weight"
    torch.testing.assert_close(kept[name], before[name][-first.mlp :], rtol=0, atol=0)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["at_once"] == 4


def test_its_options_are_the_commands(halves, model, table, tmp_path, capsys) -> None:
    from vitprof.cli.main import main

    def run(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["prune", *map(str, arguments)])
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    code, out, _ = run("--help")
    assert code == 0
    words = " ".join(out.split())
    assert "[nvit|optin|heads|halves]" in out
    assert "--end [first|last] halves: which neurons go. [default: last]" in words
    assert "halves: neurons that leave every MLP at once. [default: 8; x>=1]" in words
    table.to_csv(tmp_path / "lut.csv")
    shared = (
        "--model",
        model,
        "--table",
        tmp_path / "lut.csv",
        "--target",
        "0.9x",
        "--data",
        "digits",
        "--method",
    )
    code, out, err = run(*shared, "halves", "--at-once", 4, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    assert json.loads(out)["predicted_ms"] <= json.loads(out)["target_ms"]
    code, _, err = run(*shared, "nvit", "--at-once", 4, "--out", tmp_path / "other")
    assert code == 2
    assert "--at-once belongs to --method halves, not to nvit." in err
    code, _, err = run(*shared, "halves", "--end", "middle", "--out", tmp_path / "other")
    assert code == 2
    assert "'middle' is not one of 'first', 'last'" in err


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("at_once", "seed"), "its option seed is one that every method has"),
        (("at_once: int", "at_once: list"), "its options cannot be read"),
        (("class Halves(Method[Options])", "class Halves"), "is not a Method"),
    ],
    ids=str,
)
def test_a_method_that_cannot_be_used_is_left_out(install_wheel, caplog, change, reason) -> None:
    text = HALVES.replace(*change)
    install_wheel("halves", {"vitprof.methods": {"halves": "halving:METHOD"}}, halving=text)
    assert [method.name for method in all_methods()] == ["nvit", "optin", "heads"]
    assert "the method 'halves' of the wheel 'halves' is left out" in caplog.text
    assert reason in caplog.text
