"""What `vitprof.report` reads and refuses, and what stands in its record."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import vitprof
from vitprof.models import Block, create_spec
from vitprof.tables import LatencyTable, Row
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.calibration.held_out import held_out
from vitprof.training.history import HISTORY, History
from vitprof.training.loop import Progress

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def pruned(vit_page_table: LatencyTable, tmp_path: Path) -> Path:
    """A folder as vitprof prune leaves it, of two targets."""
    folder = tmp_path / "pruned"
    base = {"model": "deit-tiny", "latency_ms": 20.0, "macs": 10, "params": 5, "top1": 0.7}
    models = []
    for target, ms in (("0.8x", 16.0), ("0.5x", 10.0)):
        (folder / target).mkdir(parents=True)
        (folder / target / "spec.json").write_text(create_spec("deit-tiny").to_json())
        text = "structure,kind,before,after,share\nlayers.0.heads,heads,3,2,0.6667\n"
        (folder / target / "redistribution.csv").write_text(text)
        models.append({"target": target, "predicted_ms": ms, "measured_ms": None, "macs": 8})
    report = {"base": base, "setting": vit_page_table.setting.as_dict(), "models": models}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_a_pruned_run_gives_its_front_its_models_and_what_was_taken(
    vit_page_table: LatencyTable, pruned: Path
) -> None:
    (run,) = vitprof.report(vit_page_table, runs=[pruned]).record["runs"]
    assert (run["kind"], run["judged_by"]) == ("prune", "top1")
    names = [(one["name"], one["predicted"], one["measured"]) for one in run["points"]]
    assert names == [("unpruned", 20.0, None), ("0.8x", 16.0, None), ("0.5x", 10.0, None)]
    assert [one["name"] for one in run["redistribution"]] == ["0.5x", "0.8x"]
    (structure,) = run["redistribution"][0]["structures"]
    assert structure == {"structure": "layers.0.heads", "kind": "heads", "before": 3, "after": 2}
    assert [one["spec"]["family"] for one in run["models"]] == ["vit", "vit"]


@pytest.mark.parametrize(
    ("report", "kind", "names"),
    [
        (
            {
                "best": {"predicted_ms": [9.0], "figure": 0.5},
                "front": [{"name": "front-1", "predicted_ms": [9.0], "figure": 0.5, "macs": 3}],
            },
            "search",
            ["best", "front-1"],
        ),
        (
            {"model": "vit", "epochs": 3, "test_images": 9, "top1": 0.5, "out": "x"},
            "train",
            ["vit"],
        ),
        ({"measured": [{"name": "a", "latency_ms": 3.0, "top1": 0.4}]}, "choose", ["a"]),
    ],
)
def test_searched_and_chosen_runs(
    vit_page_table: LatencyTable, tmp_path: Path, report: dict[str, Any], kind: str, names: list
) -> None:
    (tmp_path / "report.json").write_text(json.dumps(report))
    (run,) = vitprof.report(vit_page_table, runs=[tmp_path]).record["runs"]
    assert run["kind"] == kind
    assert [one["name"] for one in run["points"]] == names
    assert run["points"][0]["judged"] in (0.5, 0.4)


def test_a_training_has_the_size_of_its_model(vit_page_table: LatencyTable, tmp_path: Path) -> None:
    report = {"model": "vit", "epochs": 3, "test_images": 9, "top1": 0.5, "out": "x"}
    (tmp_path / "report.json").write_text(json.dumps(report))
    spec = create_spec("deit-tiny")
    (tmp_path / "spec.json").write_text(spec.to_json())
    (run,) = vitprof.report(vit_page_table, runs=[tmp_path]).record["runs"]
    (point,) = run["points"]
    assert (point["macs"], point["params"]) == (spec.macs, spec.params)


def test_a_run_of_another_setting_is_refused(
    vit_page_table: LatencyTable, pruned: Path, refused: Refused
) -> None:
    report = json.loads((pruned / "report.json").read_text())
    report["setting"]["device"] = "<b>phone</b>"
    (pruned / "report.json").write_text(json.dumps(report))
    with refused("another setting", "`tables`"):
        vitprof.report(vit_page_table, runs=[pruned])


def test_what_is_no_run_is_refused(
    vit_page_table: LatencyTable, tmp_path: Path, refused: Refused
) -> None:
    with refused("report.json", "train, prune, search and choose"):
        vitprof.report(vit_page_table, runs=[tmp_path])
    (tmp_path / "report.json").write_text('{"model": "x"}')
    with refused("another command"):
        vitprof.report(vit_page_table, runs=[tmp_path])
    (tmp_path / "report.json").write_text('{"front": [')
    with refused("not valid JSON"):
        vitprof.report(vit_page_table, runs=[tmp_path])


def test_damaged_widths_are_refused(
    vit_page_table: LatencyTable, pruned: Path, refused: Refused
) -> None:
    (pruned / "0.5x" / "redistribution.csv").write_text("structure,kind\nlayers.0,heads\n")
    with refused("redistribution.csv", "damaged"):
        vitprof.report(vit_page_table, runs=[pruned])


def test_a_history_is_shown_by_stages(vit_page_table: LatencyTable, pruned: Path) -> None:
    history = History()
    for stage in ("pruning", "finetuning 0.5x"):
        for step in (1, 2):
            history.add(stage, Progress(step, 1 / step, 1e-3), 2, 2)
    history.tested("finetuning 0.5x", 0.75)
    (pruned / HISTORY).write_text(history.to_csv())
    (run,) = vitprof.report(vit_page_table, runs=[pruned]).record["runs"]
    assert run["history"] == [
        {"stage": "pruning", "rows": [[0.5, 1.0, None], [1.0, 0.5, None]]},
        {"stage": "finetuning 0.5x", "rows": [[0.5, 1.0, None], [1.0, 0.5, 0.75]]},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "stage,step\n",
        "stage,step,epoch,learning_rate,loss,top1\na,1,x,1,1,\n",
        "stage,step,epoch,learning_rate,loss,top1\na,1,1,1,nan,\n",
        "stage,step,epoch,learning_rate,loss,top1\na,1,1\n",
        "",
    ],
)
def test_a_damaged_history_is_refused(
    vit_page_table: LatencyTable, pruned: Path, refused: Refused, text: str
) -> None:
    (pruned / HISTORY).write_text(text)
    with refused("history.csv", "damaged"):
        vitprof.report(vit_page_table, runs=[pruned])


def test_tables_that_do_not_belong_together_are_refused(
    vit_page_table: LatencyTable, row_of: Callable[..., Row], refused: Refused
) -> None:
    header = vit_page_table.header
    batched = replace(header, setting=replace(header.setting, batch=8))
    with refused("do not belong together", "batch 1", "batch 8"):
        vitprof.report([vit_page_table, LatencyTable(vit_page_table.rows, batched)])
    dense = Block.of("dense_relu", in_channels=64, out_channels=64)
    other = LatencyTable([row_of(dense, 1.0)], header)
    # Two families of one device belong together.
    assert len(vitprof.report([vit_page_table, other]).record["tables"]) == 2
    phone = replace(header, setting=replace(header.setting, device="phone"))
    other = LatencyTable([row_of(dense, 1.0)], phone)
    with refused("do not belong together", "no block in common"):
        vitprof.report([vit_page_table, other])
    with refused("one table at least"):
        vitprof.report([])


def test_a_table_that_is_given_twice_is_refused(
    vit_page_table: LatencyTable, tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "lut.csv"
    vit_page_table.to_csv(path)
    with refused("given twice"):
        vitprof.report([path, tmp_path / "." / "lut.csv"])


def test_ceilings_of_a_file_are_those_of_the_table_they_were_measured_for(
    vit_page_table: LatencyTable, tmp_path: Path, refused: Refused
) -> None:
    said = {
        "gmacs_per_s": 40.0,
        "gbytes_per_s": 10.0,
        "gmacs_difference": 0.01,
        "gbytes_difference": 0.02,
        "runtime": "onnxruntime 1",
        "setting": vit_page_table.setting.as_dict(),
    }
    path = tmp_path / "ceilings.json"
    path.write_text(json.dumps(said))
    (known,) = vitprof.report(vit_page_table, ceilings=path).record["ceilings"]
    assert (known["gmacs_per_s"], known["gbytes_per_s"]) == (40.0, 10.0)
    path.write_text(json.dumps({**said, "setting": {**said["setting"], "threads": 4}}))
    with refused("another device or setting"):
        vitprof.report(vit_page_table, ceilings=path)
    for wrong in (0, -1, "fast", None, True, 1e300):
        path.write_text(json.dumps({**said, "gmacs_per_s": wrong}))
        with refused("ceilings.json", "gmacs_per_s"):
            vitprof.report(vit_page_table, ceilings=path)


def test_a_breakdown_and_a_validation_are_read(
    vit_page_table: LatencyTable, tmp_path: Path, refused: Refused
) -> None:
    broken = tmp_path / "b.json"
    node = {"name": "n", "op": "Gemm", "class": "matmul", "block": "layer 1", "ms": 1.5}
    block = {"block": "layer 1", "op": "mlp", "ms": 1.5}
    model = {"model": "m", "latency_ms": 2.0, "blocks": [block], "nodes": [node]}
    broken.write_text(json.dumps({"models": [model]}))
    validated = tmp_path / "v.csv"
    columns = "model,measured_ms,first_ms,again_ms,predicted_ms,low_ms,high_ms"
    validated.write_text(f"{columns}\nrandom-0,10,9.9,10.1,10.2,9,11\n")
    record = vitprof.report(vit_page_table, breakdowns=[broken], validations=[validated]).record
    assert record["breakdowns"][0]["nodes"][0]["kind"] == "matmul"
    assert record["validations"][0]["models"][0]["predicted"] == 10.2
    with refused("not a breakdown"):
        broken.write_text('{"models": [{"model": "m"}]}')
        vitprof.report(vit_page_table, breakdowns=[broken])
    for text in ("", "a,b\n1,2\n", f"{columns}\nx,nan,1,1,1,1,1\n"):
        validated.write_text(text)
        with refused("not a validation"):
            vitprof.report(vit_page_table, validations=[validated])


def test_held_out_models_are_predicted_by_the_others(vit_page_table: LatencyTable) -> None:
    found = held_out(vit_page_table)
    assert len(found) == 8
    for one in (found[0], found[5]):
        others = [row for row in vit_page_table.rows if row is not one.row]
        wanted = calibrated(vit_page_table.with_rows(others)).predict(one.spec)
        assert one.ms == pytest.approx(wanted.ms, rel=1e-12)
        assert (one.low_ms, one.high_ms) == pytest.approx((wanted.low_ms, wanted.high_ms))
    trust = vitprof.report(vit_page_table).record["tables"][0]["trust"]
    assert trust["coverage"] == sum(one.is_inside for one in found) / 8
