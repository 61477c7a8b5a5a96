"""`vitprof transfer` with probes from a file: what it prints, writes and refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from vitprof.tables import LatencyTable


@pytest.fixture
def probes(lut: Path, tmp_path: Path) -> Path:
    """Every ninth point of the table, three times as slow on another device."""
    source = LatencyTable.read_csv(lut)
    setting = replace(source.setting, device="phone")
    rows = [row.scaled(3.0) for row in source.rows[::9]]
    path = tmp_path / "probes.csv"
    LatencyTable(rows, setting).to_csv(path)
    return path


def test_json_is_one_object_and_the_table_predicts(run, lut, probes, tmp_path) -> None:
    out = tmp_path / "phone.csv"
    answer = run("transfer", "--from", lut, "--probes", probes, "--out", out, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["table"] == str(out)
    assert answer.json["setting"]["device"] == "phone"
    assert answer.json["rows"] == answer.json["transferred"] + answer.json["measured"] == 94
    assert answer.json["expected_error"] < 0.02
    asked = run("predict", "--table", out, "--model", "deit-small", "--json")
    here = run("predict", "--table", lut, "--model", "deit-small", "--json")
    assert asked.json["latency_ms"] == pytest.approx(3 * here.json["latency_ms"], rel=1e-3)
    assert 0.5 < asked.json["transferred_share"] <= 1
    assert here.json["transferred_share"] == 0
    words = run("predict", "--table", out, "--model", "deit-small")
    assert "is transferred: predicted from the tables of other devices" in words.out
    info = run("table", "info", out)
    assert "transferred" in info.out


def test_for_people(run, lut, probes, tmp_path) -> None:
    out, picture = tmp_path / "phone.csv", tmp_path / "phone.png"
    answer = run("transfer", "--from", lut, "--probes", probes, "--out", out, "--plot", picture)
    assert answer.code == 0
    assert "Predicted without themselves, probes err by" in answer.out
    assert "11 measured and 83 transferred" in answer.out
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--probes", "{lut}"], "table of this very device and setting"),
        (["--probes", "{probes}", "--threads", "2"], "was measured with threads 1, not 2"),
        (["--probe", "2"], "2 probes are fewer than the 4 unknowns"),
        (["--probes", "{probes}", "--plot", "x.txt"], "x.txt is not a picture"),
    ],
)
def test_bad_input_is_one_sentence(run, lut, probes, tmp_path, more, said) -> None:
    out = tmp_path / "phone.csv"
    given = [text.format(lut=lut, probes=probes) for text in more]
    answer = run("transfer", "--from", lut, "--out", out, *given)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert said in answer.err
    assert not out.exists()


@pytest.fixture
def timings(tmp_path: Path) -> Path:
    path = tmp_path / "phones.csv"
    lines = [
        f"{name}-{n},{n}e9,{1000 * n},{2100 * n}{',' + str(5000 * n) if n < 5 else ','}"
        for n, name in enumerate(("vit", "vit", "swin", "swin", "mit", "mit", "cvt"), start=1)
    ]
    head = "model,flops,a|1|float|mean,b|1|float|mean,c|1|float|mean"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_models_on_a_phone(run, timings, tmp_path) -> None:
    out = tmp_path / "c.csv"
    given = ("transfer", "--models", timings, "--unit", "us", "--target", "c|1|float")
    answer = run(*given, "--out", out)
    assert answer.code == 0
    assert "3 models transferred by 4 timed ones" in answer.out
    assert out.read_text().startswith("model,latency_ms,low_ms,high_ms,provenance\nvit-1,5,")
    found = run(*given, "--json")
    assert found.json["models"][6]["latency_ms"] == pytest.approx(35, rel=0.02)
    assert found.json["models"][6]["provenance"] == "transferred"
    first = run("transfer", "--models", timings, "--unit", "us", "--probe", "4")
    assert first.code == 0
    assert "Time these next on the new phone: " in first.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--models", "{timings}"], "say it with --unit: us, ms or s"),
        (["--models", "{timings}", "--unit", "us", "--target", "x"], "has no column 'x'"),
        (["--models", "{timings}", "--unit", "us", "--time", "3s"], "--time say how to measure"),
        (["--unit", "us"], "--unit go with --models"),
        ([], "--from TABLES and --out FILE are needed"),
    ],
)
def test_bad_timings_are_one_sentence(run, timings, given, said) -> None:
    answer = run("transfer", *(text.format(timings=timings) for text in given))
    assert answer.code == 2
    assert answer.is_one_sentence
    assert said in answer.err
