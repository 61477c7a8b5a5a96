"""`vitprof measure` and `bench` for real, on the smallest models."""

from __future__ import annotations

import pandas as pd
import pytest
from vitprof.tables import LatencyTable

SMALL = ("--model", "vit-micro-8", "--points", "24", "--sessions", "1")


@pytest.fixture
def measured(run, tmp_path):
    path = tmp_path / "small.csv"
    answer = run("measure", *SMALL, "--out", path, "--json")
    assert answer.code in (0, 1)  # a busy machine may call points unstable
    return path, answer


def test_a_table_is_measured_and_predicts_its_model(run, measured) -> None:
    path, answer = measured
    result = answer.json
    assert result["points"] == len(pd.read_csv(path, comment="#")) <= 24
    assert result["failed"] == []
    assert run("predict", "--table", path, "--model", "vit-micro-8", "--json").code == 0
    info = run("table", "info", path, "--json").json
    assert info["setting"]["device"] == "cpu"
    assert set(info["ops"]) == {"patch_embed", "attention", "mlp", "classifier"}
    assert info["environment"]["machine"]["cpu"]


def test_measuring_again_keeps_what_is_there(run, measured) -> None:
    path, _ = measured
    before = path.read_text().splitlines()[3:]
    answer = run("measure", *SMALL, "--out", path, "--json")
    assert answer.code in (0, 1)
    after = path.read_text().splitlines()[3:]
    assert [line.split(",")[:12] for line in after] == [line.split(",")[:12] for line in before]
    measured_at = [line.rsplit(",", 1)[1] for line in before]
    assert [line.rsplit(",", 1)[1] for line in after] == measured_at


def test_another_setting_never_writes_over_a_table(run, measured) -> None:
    path, _ = measured
    before = path.read_bytes()
    answer = run("measure", *SMALL, "--out", path, "--batch", "2")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "batch 1 against 2" in answer.err
    assert path.read_bytes() == before
    assert run("measure", *SMALL, "--out", path, "--batch", "2", "--fresh", "--json").code in (0, 1)
    assert LatencyTable.read_csv(path).setting.batch == 2


def test_what_is_not_a_table_is_never_written_over(run, tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    assert run("measure", *SMALL, "--out", path).code == 2
    assert path.read_text() == "my notes\n"


def test_bench_measures_whole_models(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--sessions", "1", "--runs", "5", "--json")
    assert answer.code in (0, 1)
    result = answer.json
    assert set(result) >= {
        "model", "latency_ms", "low_ms", "high_ms", "images_per_s", "batch"
    }  # fmt: skip
    assert result["images_per_s"] == pytest.approx(1e3 / result["latency_ms"], rel=1e-3)
    both = ("--model", "vit-micro-8", "--model", "vit-tiny-32", "--batch", "2")
    answer = run("bench", *both, "--sessions", "1", "--runs", "5", "--json")
    assert [r["batch"] for r in answer.json["results"]] == [2, 2]


def test_compare_measures_on_the_tables_machine(run, measured, tmp_path) -> None:
    path, _ = measured
    answer = run("compare", "--table", path, "--model", "vit-micro-8", "--measure", "--json")
    assert answer.code in (0, 1)
    model = answer.json["models"][0]
    assert model["measured_ms"] > 0
    other = tmp_path / "other.csv"
    cpu = LatencyTable.read_csv(path).environment["machine"]["cpu"]
    other.write_text(path.read_text().replace(cpu, "Some Other CPU"))
    answer = run("compare", "--table", other, "--model", "vit-micro-8", "--measure")
    assert answer.code == 2
    assert "another machine" in answer.err
