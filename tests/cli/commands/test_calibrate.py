"""`vitprof calibrate` on a real tiny table, and on one without models."""

from __future__ import annotations

import pytest
from vitprof.tables import LatencyTable

pytestmark = pytest.mark.slow


def rows_of(path) -> list[str]:
    return path.read_text().splitlines()[3:]


def test_fitting_again_changes_no_row_and_finds_the_same(run, measured) -> None:
    path, answer = measured
    before, rows = LatencyTable.read_csv(path), rows_of(path)
    again = run("calibrate", "--table", path, "--json")
    assert again.code == 0
    assert again.json["table"] == str(path)
    assert again.json["calibration"]["models"] == answer.json["calibration"]["models"] == 3
    after = LatencyTable.read_csv(path)
    assert rows_of(path) == rows
    model = "vit-micro-8"
    assert after.predict(model).ms == pytest.approx(before.predict(model).ms, rel=1e-4)


def test_the_line_can_be_dropped_and_fitted_again(run, measured) -> None:
    path, _ = measured
    rows = rows_of(path)
    dropped = run("calibrate", "--table", path, "--drop", "--json")
    assert (dropped.code, dropped.json["calibration"]) == (0, None)
    assert LatencyTable.read_csv(path).calibration is None
    answer = run("calibrate", "--table", path, "--drop")
    assert (answer.code, answer.out) == (0, "")
    assert "without calibration" in answer.err
    answer = run("calibrate", "--table", path)
    assert answer.code == 0
    assert "fitted on 3 models" in answer.out
    assert "held-out error" in answer.out
    assert LatencyTable.read_csv(path).calibration is not None
    assert rows_of(path) == rows


def test_a_damaged_calibration_can_be_fitted_anew(run, measured) -> None:
    path, _ = measured
    path.write_text(path.read_text().replace('"per_block_ms"', '"per_blok_ms"', 1))
    asked = run("predict", "--model", "vit-micro-8", "--table", path)
    assert asked.code == 2
    assert "vitprof calibrate" in asked.err
    assert run("calibrate", "--table", path).code == 0
    assert run("predict", "--model", "vit-micro-8", "--table", path).code == 0


def test_with_out_the_table_itself_stays(run, measured, tmp_path) -> None:
    path, _ = measured
    before = path.read_bytes()
    out = tmp_path / "other.csv"
    assert run("calibrate", "--table", path, "--drop", "--out", out).code == 0
    assert path.read_bytes() == before
    assert LatencyTable.read_csv(out).calibration is None
    assert rows_of(out) == rows_of(path)


@pytest.mark.long
def test_new_models_take_the_place_of_the_old(run, measured) -> None:
    path, _ = measured
    before = LatencyTable.read_csv(path)
    answer = run("calibrate", "--table", path, "--whole-models", "4", "--seed", "5", "--json")
    assert answer.code == 0
    assert answer.json["calibration"]["models"] == 4
    after = LatencyTable.read_csv(path)
    assert [row.subject.name for row in after.model_rows] == [f"calibration-5-{n}" for n in "0123"]
    assert [row.key for row in after.block_rows] == [row.key for row in before.block_rows]
    assert after.block_rows[0].latency_ms == before.block_rows[0].latency_ms
    assert after.header == before.header


def test_a_table_of_another_machine_gets_no_models_of_this_one(run, measured) -> None:
    path, _ = measured
    cpu = LatencyTable.read_csv(path).environment["machine"]["cpu"]
    path.write_text(path.read_text().replace(cpu, "Some Other CPU"))
    before = path.read_bytes()
    answer = run("calibrate", "--table", path, "--models", "3")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "another machine" in answer.err
    assert path.read_bytes() == before
    assert run("calibrate", "--table", path).code == 0, "fitting needs no machine"


def test_a_table_without_models_is_refused_and_stays(run, lut) -> None:
    before = lut.read_bytes()
    answer = run("calibrate", "--table", lut)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "fewer than 3 whole models" in answer.err
    assert "--whole-models 8" in answer.err
    assert lut.read_bytes() == before


def test_an_unfinished_table_is_refused_and_stays(run, measured) -> None:
    path, _ = measured
    path.write_text(path.read_text().replace('"state": "complete"', '"state": "measuring"'))
    before = path.read_bytes()
    answer = run("calibrate", "--table", path)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "unfinished" in answer.err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--drop", "--models", "3"), ["--drop", "--models"]),
        (("--models", "2"), ["--models", "2"]),
        (("--models", "all"), ["--models", "all"]),
        (("--seed", "x"), ["--seed"]),
        (("--out", "no/such/folder.csv"), ["no/such/folder.csv", "cannot be written"]),
    ],
    ids=" ".join,
)
def test_a_bad_value_is_one_sentence_and_nothing_is_written(
    arguments: tuple[str, ...], words: list[str], run, measured, tmp_path, monkeypatch
) -> None:
    path, _ = measured
    before = path.read_bytes()
    monkeypatch.chdir(tmp_path)
    answer = run("calibrate", "--table", path, *arguments)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in words:
        assert word in answer.err
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
