"""`vitprof measure` and `bench` for real, on the smallest models."""

from __future__ import annotations

import fcntl

import pandas as pd
import pytest
import vitprof
from vitprof.tables import LatencyTable

pytestmark = pytest.mark.slow

# Two widths of one layer shape: eight blocks.
FEW = (
    "--model",
    "vit-micro-8",
    "--sessions",
    "1",
    "--whole-models",
    "0",
    "--grid",
    "embed=32,64;attention.heads=2;attention.qk=16;attention.v=16;mlp.mlp=64",
)
DONE = (0, 1)  # a busy machine may call points unstable


def test_a_table_is_measured_and_predicts_its_model(run, measured) -> None:
    path, answer = measured
    result = answer.json
    assert (result["points"], result["models"]) == (24, 3)
    assert len(pd.read_csv(path, comment="#")) == 24 + 3
    assert result["failed"] == []
    assert run("predict", "--table", path, "--model", "vit-micro-8", "--json").code == 0
    info = run("table", "info", path, "--json").json
    assert info["setting"]["device"] == "cpu"
    assert set(info["ops"]) == {"patch_embed", "attention", "mlp", "classifier"}
    assert info["environment"]["machine"]["cpu"]


def test_whole_models_are_measured_beside_the_blocks_and_fitted(measured) -> None:
    path, answer = measured
    table = LatencyTable.read_csv(path)
    assert [row.subject.name for row in table.model_rows] == [f"calibration-0-{n}" for n in "012"]
    assert {row.sessions for row in table.model_rows} <= set(range(5, 16))
    assert table.calibration is not None
    assert table.calibration.models == 3
    assert answer.json["calibration"]["models"] == 3
    assert table.references.blocks.op == "mlp"
    assert answer.json["drift"]["typical_ms"] > 0


def test_measuring_again_keeps_what_is_there(run, measured, small) -> None:
    path, _ = measured
    before = path.read_text().splitlines()[3:]
    answer = run("measure", *small, "--out", path, "--json")
    assert answer.code in DONE
    after = path.read_text().splitlines()[3:]
    assert [line.split(",")[:12] for line in after] == [line.split(",")[:12] for line in before]
    measured_at = [line.rsplit(",", 1)[1] for line in before]
    assert [line.rsplit(",", 1)[1] for line in after] == measured_at


def test_another_setting_never_writes_over_a_table(run, measured, small) -> None:
    path, _ = measured
    before = path.read_bytes()
    answer = run("measure", *small, "--out", path, "--batch", "2")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "batch 1 against 2" in answer.err
    assert path.read_bytes() == before
    assert run("measure", *FEW, "--out", path, "--batch", "2", "--fresh", "--json").code in DONE
    table = LatencyTable.read_csv(path)
    assert table.setting.batch == 2
    assert len(table.rows) == 8


def test_what_is_not_a_table_is_never_written_over(run, tmp_path, small) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    assert run("measure", *small, "--out", path).code == 2
    assert path.read_text() == "my notes\n"


def test_a_table_that_another_process_measures_is_left_to_it(run, measured, small) -> None:
    path, _ = measured
    before = path.read_bytes()
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = run("measure", *small, "--out", path, "--fresh")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "another vitprof is measuring" in answer.err
    assert path.read_bytes() == before


def test_without_whole_models_there_is_no_calibration(run, tmp_path) -> None:
    path = tmp_path / "few.csv"
    answer = run("measure", *FEW, "--out", path, "--json")
    assert answer.code in DONE
    assert answer.json["calibration"] is None
    assert (answer.json["points"], answer.json["models"]) == (8, 0)
    table = LatencyTable.read_csv(path)
    assert table.calibration is None
    assert table.model_rows == []


def test_points_are_compiled_at_once_before_they_are_measured(run, tmp_path) -> None:
    path, kept = tmp_path / "few.csv", tmp_path / "kept"
    answer = run("measure", *FEW, "--jobs", "2", "--artifacts", kept, "--out", path)
    assert answer.code in DONE, answer.err
    table = LatencyTable.read_csv(path)
    assert all(row.verdict != "failed" for row in table.rows)
    compiled = answer.err.index("compiling: 8/8 2 at once")
    assert compiled < answer.err.index("measuring: ")
    # The reference of blocks is one of the points or another.
    assert len(list(kept.glob("*.artifact"))) in (8, 9)
    assert table.header.seconds["build"] > 0
    again = run("measure", *FEW, "--jobs", "2", "--artifacts", kept, "--out", path)
    assert again.code in DONE
    assert "compiling" not in again.err, "all is measured"


def test_a_network_is_a_context_for_what_can_be_repeated(run, tmp_path) -> None:
    path = tmp_path / "network.csv"
    answer = run("measure", *FEW, "--context", "in_network", "--out", path, "--json")
    assert answer.code in DONE
    contexts = {row.subject.op: row.context for row in LatencyTable.read_csv(path).rows}
    assert contexts == {
        "patch_embed": "alone",
        "attention": "in_network",
        "mlp": "in_network",
        "classifier": "alone",
    }


def test_every_block_of_a_model_is_measured_in_its_place(run, tmp_path) -> None:
    path = tmp_path / "place.csv"
    answer = run("measure", "--in-model", "vit-micro-8", "--sessions", "1", "--out", path, "--json")
    assert answer.code in DONE
    table = LatencyTable.read_csv(path)
    spec = vitprof.create_spec("vit-micro-8")
    assert [row.subject for row in table.block_rows] == list(dict.fromkeys(spec.blocks()))
    assert [row.subject for row in table.model_rows] == [spec]
    contexts = {row.subject.op: row.context for row in table.block_rows}
    assert contexts["attention"] == contexts["mlp"] == "in_model"
    assert contexts["patch_embed"] == contexts["classifier"] == "alone"
    assert table.calibration is None


def test_what_is_accepted_decides_the_exit_code(run, measured, small) -> None:
    path, _ = measured
    strict = run("measure", *small, "--out", path, "--accept", "0%", "--json")
    assert strict.code == 1
    assert strict.json["assessment"]["verdict"] == "doubtful"
    answer = run("measure", *small, "--out", path, "--accept", "100%")
    assert answer.code == 0
    last = answer.out.splitlines()[-1]
    assert last.startswith("Usable: whole models err by ")
    assert "The machine was " in answer.out


def test_one_session_assumes_the_spread_and_says_so(run, tmp_path) -> None:
    path = tmp_path / "few.csv"
    answer = run("measure", *FEW, "--out", path)
    assert answer.code == 0
    assert "two sessions of one point are assumed to differ by 1.5 %" in answer.out
    assert "by an assumed spread of sessions" in answer.out.splitlines()[-1]
    assert LatencyTable.read_csv(path).header.session_sd is None
    assert "are assumed to differ" in run("table", "info", path).out
    bench = ("bench", "--model", "vit-micro-8", "--sessions", "1", "--runs", "5")
    assert "the interval is not measured" in run(*bench).out


def test_over_its_budget_every_point_still_has_a_session(run, tmp_path) -> None:
    path = tmp_path / "short.csv"
    answer = run("measure", *FEW, "--sessions", "9", "--time", "0.001s", "--out", path, "--json")
    assert answer.code in DONE
    assert [row.sessions for row in LatencyTable.read_csv(path).rows] == [1] * 8


def test_more_points_than_the_grid_has_are_probes_and_levels(run, tmp_path) -> None:
    path = tmp_path / "refined.csv"
    answer = run("measure", *FEW, "--points", "12", "--out", path, "--json")
    assert answer.code in DONE
    table = LatencyTable.read_csv(path)
    assert 8 < len(table.rows) <= 12
    widths = {row.subject["embed"] for row in table.rows}
    assert {32, 64} < widths
    assert run("predict", "--table", path, "--model", "vit-micro-8", "--extrapolate").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--context", "in_netwrk"), ["in_netwrk", "did you mean 'in_network'"]),
        (("--context", ""), ["context ''"]),
        (("--in-model", "vit-micro-9"), ["vit-micro-9", "did you mean"]),
        (("--in-model", "vit-micro-8", "--points", "9"), ["--points", "--in-model"]),
        (("--in-model", "vit-micro-8", "--model", "deit-tiny"), ["--model", "--in-model"]),
        (("--in-model", "vit-micro-8", "--grid", "embed=8"), ["--grid", "--in-model"]),
        (("--jobs", "0"), ["--jobs", "0"]),
        (("--jobs", "100000"), ["--jobs is 100,000", "VITPROF_MOST_JOBS"]),
        (("--jobs", "2", "--bundle", "b.zip"), ["--jobs", "--bundle"]),
        (("--jobs", "2", "--ray", "auto"), ["--jobs", "--ray"]),
        (("--accept", "much"), ["'much'", "0.8 or 80%"]),
        (("--accept", "-3%"), ["'-3%'", "from 0 to 1"]),
        (("--time", "soon"), ["'soon'", "60s, 2m or 1h"]),
        (("--time", "0s"), ["'0s'"]),
        (("--time", "-5"), ["-5"]),
        (("--whole-models", "-1"), ["--whole-models", "-1"]),
        (("--whole-models", "many"), ["--whole-models", "many"]),
        (("--points", "0"), ["--points", "0"]),
        (("--sessions", "0"), ["--sessions", "0"]),
        (("--seed", "x"), ["--seed", "x"]),
        (("--grid", "mlp.tokens=5"), ["mlp.tokens", "tokens="]),
    ],
    ids=" ".join,
)
def test_a_bad_value_is_one_sentence_and_nothing_is_written(
    arguments: tuple[str, ...], words: list[str], run, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run("measure", *arguments)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in words:
        assert word in answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


def test_bench_measures_whole_models(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--sessions", "1", "--runs", "5", "--json")
    assert answer.code in (0, 1)
    result = answer.json
    assert set(result) >= {"model", "latency_ms", "low_ms", "high_ms", "images_per_s", "batch"}
    assert result["images_per_s"] == pytest.approx(1e3 / result["latency_ms"], rel=1e-3)
    both = ("--model", "vit-micro-8", "--model", "vit-tiny-32", "--batch", "2")
    answer = run("bench", *both, "--sessions", "1", "--runs", "5", "--json")
    assert [r["batch"] for r in answer.json["results"]] == [2, 2]


def test_compare_measures_on_the_tables_machine(run, measured, tmp_path) -> None:
    path, _ = measured
    answer = run("compare", "--table", path, "--model", "vit-micro-8", "--verify", "--json")
    assert answer.code in (0, 1)
    model = answer.json["models"][0]
    assert model["measured_ms"] > 0
    other = tmp_path / "other.csv"
    cpu = LatencyTable.read_csv(path).environment["machine"]["cpu"]
    other.write_text(path.read_text().replace(cpu, "Some Other CPU"))
    answer = run("compare", "--table", other, "--model", "vit-micro-8", "--verify")
    assert answer.code == 2
    assert "another machine" in answer.err
