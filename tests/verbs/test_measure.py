"""`vitprof.measure`, for real on the smallest model, and its table, which measures on."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof
from vitprof import tables
from vitprof.models import create_spec

pytestmark = pytest.mark.slow


def test_a_notebook_plans_measures_and_asks(measured_once, plan: vitprof.Plan) -> None:
    table, told = measured_once
    assert isinstance(table, vitprof.LatencyTable)
    assert [row.subject for row in table.rows] == [point.subject for point in plan.points]
    assert table.calibration is not None
    assert table.predict("vit-micro-8").ms > 0
    assert {said[0] for said in told} == {"measuring"}
    assert told[-1][1] == told[-1][2]
    assert told[-1][3] == "27/27 points"


def test_the_file_is_the_table(measured_once) -> None:
    table, _ = measured_once
    read = vitprof.LatencyTable.read_csv(table.source)
    assert type(read) is vitprof.LatencyTable
    assert read.to_text() == table.to_text()
    assert isinstance(read, tables.LatencyTable)


def test_what_is_there_is_not_measured_again(table, plan: vitprof.Plan) -> None:
    before = [row.measured_at for row in table.rows]
    again = vitprof.measure(plan, out=table.source, sessions=1, device="cpu", time="1m")
    assert [row.measured_at for row in again.rows] == before


def test_a_table_measures_models_beside_its_predictions(table) -> None:
    spec = create_spec("vit-micro-8")
    result = table.measure([spec, "vit-micro-8", spec.with_layers(3)])
    frame = result.to_frame()
    assert list(frame.columns) == [
        "model",
        "predicted_ms",
        "measured_ms",
        "low_ms",
        "high_ms",
        "error",
        "verdict",
    ]
    assert list(frame["model"]) == ["vit-micro-8"] * 3
    assert frame["measured_ms"][0] == frame["measured_ms"][1], "a model is measured once"
    assert frame["predicted_ms"][0] == table.predict(spec).ms
    assert frame["error"][2] == pytest.approx(
        frame["predicted_ms"][2] / frame["measured_ms"][2] - 1
    )
    assert (frame["low_ms"] <= frame["measured_ms"]).all()
    assert repr(result).startswith("3 models measured as ")
    assert "<table" in result._repr_html_()


def test_a_model_outside_the_table_is_refused_before_anything_is_measured(table, refused) -> None:
    with refused("embed", "768"):
        table.measure("deit-base")


def test_of_another_machine_nothing_is_measured(table, refused) -> None:
    path = Path(table.source)
    cpu = table.environment["machine"]["cpu"]
    path.write_text(path.read_text().replace(cpu, "Some Other CPU"))
    with refused("another machine"):
        vitprof.LatencyTable.read_csv(path).measure("vit-micro-8")


def test_bad_values_are_refused_and_nothing_is_written(tmp_path: Path, refused) -> None:
    out = tmp_path / "lut.csv"
    with refused("`bundle`", "`plan`"):
        vitprof.measure("vit", bundle="b.zip", out=out)
    with refused("`trust`", "`bundle`"):
        vitprof.measure("vit", trust=True, out=out)
    with refused("'soon'", "60s, 2m or 1h"):
        vitprof.measure("vit", time="soon", out=out)
    with refused("cpy", "did you mean 'cpu'"):
        vitprof.measure("vit", device="cpy", out=out)
    with refused("batch 1", "not 4", "`batch`"):
        vitprof.measure(bundle=_bundle(tmp_path), batch=4, out=out)
    assert not out.exists()


def test_a_bundle_is_measured_in_place_of_a_plan(tmp_path: Path) -> None:
    path = _bundle(tmp_path)
    table = vitprof.measure(bundle=path, out=tmp_path / "lut.csv", sessions=1)
    assert len(table.rows) == 4
    assert table.setting.device == "cpu"


def _bundle(folder: Path) -> Path:
    grid = "embed=32;attention.heads=2;attention.qk=16;attention.v=16;mlp.mlp=64"
    plan = vitprof.plan(model="vit-micro-8", whole_models=0, grid=grid)
    built = vitprof.build(plan, out=folder / "b.zip")
    assert built.failed == {}
    assert (built.to_frame()["error"] == "").all()
    assert repr(built).startswith(f"{folder / 'b.zip'}: 4 blocks and 0 whole models")
    return built.path


def test_what_would_refine_is_not_built(tmp_path: Path, refused) -> None:
    plan = vitprof.plan("vit", points=500)
    with refused("`points` 500", "94 blocks"):
        vitprof.build(plan, out=tmp_path / "b.zip")
