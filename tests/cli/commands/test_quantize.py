"""`vitprof quantize`: files that are smaller, measured by themselves, and what is refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import onnx
import pytest
from vitprof.profiler.deployed.facts import Facts
from vitprof.profiler.deployed.result import remarks

pytestmark = pytest.mark.slow

QUICK = ("--data", "digits", "--sessions", 1, "--test-images", 100)


def test_both_kinds_of_int8_are_smaller_and_still_right(run, trained, tmp_path) -> None:
    out = tmp_path / "int8"
    answer = run(
        "quantize",
        "--model",
        trained,
        *QUICK,
        "--dtype",
        "int8",
        "--dtype",
        "int8-static",
        "--out",
        out,
        "--json",
    )
    assert answer.code in (0, 1), answer.err
    models = {one["precision"]: one for one in answer.json["models"]}
    assert list(models) == ["fp32", "int8", "int8-static"]
    for precision, one in models.items():
        path = out / f"model.{precision}.onnx"
        assert one["file_bytes"] == path.stat().st_size
        onnx.checker.check_model(str(path))
        assert one["images"] == 100
        assert abs(one["top1"] - models["fp32"]["top1"]) <= 0.1
        assert 0 < one["low_ms"] <= one["latency_ms"] <= one["high_ms"]
        assert one["peak_bytes"] > one["model_bytes"] > 0
    assert models["int8"]["file_bytes"] < 0.7 * models["fp32"]["file_bytes"]
    lines = list(csv.DictReader((out / "facts.csv").open()))
    assert [line["name"] for line in lines] == list(models)
    assert float(lines[1]["latency_ms"]) == pytest.approx(models["int8"]["latency_ms"], rel=1e-3)
    assert (out / "facts.png").stat().st_size > 1000
    kept = json.loads((out / "report.json").read_text())["models"]
    assert [one["file_bytes"] for one in kept] == [m["file_bytes"] for m in models.values()]


def test_the_fp32_file_is_as_accurate_as_the_model(run, trained, tmp_path) -> None:
    told = run("eval", "--model", trained, "--data", "digits", "--json").json["top1"]
    answer = run(
        "quantize",
        "--model",
        trained,
        "--data",
        "digits",
        "--sessions",
        1,
        "--batch",
        16,
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.json["models"][0]["top1"] == pytest.approx(told, abs=1e-6)


@pytest.mark.long
def test_pytorch_has_its_own(run, trained, tmp_path) -> None:
    answer = run(
        "quantize", "--model", trained, *QUICK, "--runtime", "torch", "--out", tmp_path / "out"
    )
    assert answer.code in (0, 1), answer.err
    assert (tmp_path / "out" / "model.int8.pt").exists()
    assert "int8" in answer.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--dtype", "int4"), "onnxruntime has no precision 'int4' here, but fp32, int8"),
        (("--runtime", "torch", "--dtype", "int8-static"), "torch has no precision 'int8-static'"),
        (("--runtime", "onnxruntim"), "did you mean 'onnxruntime'"),
        (("--dtype", "fp32"), "add --dtype int8"),
    ],
)
def test_what_a_runtime_lacks_is_refused(run, trained, tmp_path, options, words) -> None:
    answer = run("quantize", "--model", trained, *QUICK, *options, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(run, trained, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    answer = run("quantize", "--model", trained, *QUICK, "--out", tmp_path)
    assert answer.code == 2
    assert "is not empty" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_is_no_model_is_refused(run, tmp_path) -> None:
    answer = run("quantize", "--model", tmp_path / "no", *QUICK, "--out", tmp_path / "out")
    assert answer.code == 2
    assert "is not a folder with a trained model" in answer.err


def facts(name: str, ms: float, peak: int = 100) -> Facts:
    return Facts(
        name,
        "onnxruntime",
        name,
        1,
        1,
        10,
        10,
        10,
        ms,
        0.98 * ms,
        1.02 * ms,
        100.0,
        peak,
        peak // 2,
    )


def test_it_is_said_plainly_where_int8_does_not_pay() -> None:
    assert remarks([facts("fp32", 2.0), facts("int8", 1.0)]) == []
    (slower,) = remarks([facts("fp32", 2.0), facts("int8", 3.0)])
    assert "int8 is SLOWER than fp32 here: 3 ms against 2 (1.50x)" in slower
    (same,) = remarks([facts("fp32", 2.0), facts("int8", 2.02)])
    assert "no faster" in same
    (memory,) = remarks([facts("fp32", 2.0), facts("int8", 1.0, 200)])
    assert "needs more memory" in memory
    assert remarks([facts("fp32", 2.0), facts("int8", 1.0, 101)]) == []


def test_a_table_can_be_of_int8(run, tmp_path) -> None:
    out = tmp_path / "lut.csv"
    answer = run(
        "measure",
        "--in-model",
        "vit-micro-8",
        "--dtype",
        "int8",
        "--sessions",
        1,
        "--out",
        out,
        "--json",
    )
    assert answer.code in (0, 1), answer.err
    lines = [line for line in out.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert {row["dtype"] for row in rows} == {"int8"}
    assert all(np.isfinite(float(row["latency_ms"])) for row in rows)
