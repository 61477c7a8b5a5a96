"""`vitprof compare` with several tables."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.image
import pandas as pd
import pytest
from vitprof.tables import LatencyTable

MODELS = ("--model", "deit-tiny", "--model", "deit-small", "--model", "deit-base")


@pytest.fixture
def two(lut, tmp_path):
    """The table, and one on which attention is four times as slow."""
    table = LatencyTable.read_csv(lut)
    slow = table.with_rows(
        replace(row, latency_ms=4 * row.latency_ms, low_ms=4 * row.low_ms, high_ms=4 * row.high_ms)
        if row.subject.op == "attention"
        else row
        for row in table.rows
    )
    slow.to_csv(tmp_path / "slow.csv")
    return lut, tmp_path / "slow.csv"


def test_json_csv_and_picture_say_the_same(run, two, tmp_path) -> None:
    a, b = two
    out, plot = tmp_path / "across.csv", tmp_path / "across.png"
    command = ("compare", "--table", a, "--table", b, *MODELS, "--out", out, "--plot", plot)
    answer = run(*command, "--json")
    assert answer.code == 0, answer.err
    result = answer.json
    assert list(result["tables"]) == result["order"] == [a.stem, "slow"]
    there, back = result["pairs"]
    assert (there["a"], there["b"]) == (back["b"], back["a"])
    assert there["scale"] * back["scale"] == pytest.approx(1, rel=1e-4)
    assert 1 < there["scale"] < 4
    frame = pd.read_csv(out)
    for model, row in zip(result["models"], frame.itertuples(), strict=True):
        assert row.model == model["model"]
        assert row.slow_ms == pytest.approx(model["latency_ms"]["slow"], rel=1e-4)
        alone = run("predict", "--table", b, "--model", model["model"], "--json").json
        assert model["latency_ms"]["slow"] == pytest.approx(alone["latency_ms"])
    assert matplotlib.image.imread(plot).shape[0] > 400


def test_for_people_it_is_told_in_sentences(run, two) -> None:
    a, b = two
    answer = run("compare", "--table", a, "--table", b, "--samples", "12", "--seed", "3")
    assert answer.code == 0, answer.err
    assert f"{a.stem} and slow: Kendall tau" in answer.out
    assert "change places" in answer.out
    assert "off that scale: " in answer.out


def test_one_table_is_compared_as_ever(run, two) -> None:
    answer = run("compare", "--table", two[0], *MODELS, "--json")
    assert answer.code == 0
    assert "inversions" in answer.json


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--verify",), ["--verify works with one --table"]),
        (("--model", "deit-huge"), ["deit-huge"]),
    ],
)
def test_what_cannot_be_is_one_sentence(run, two, more, words) -> None:
    answer = run("compare", "--table", two[0], "--table", two[1], *MODELS, *more)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    for word in words:
        assert word in answer.err


def test_the_same_table_twice_is_refused(run, two) -> None:
    answer = run("compare", "--table", two[0], "--table", two[0], *MODELS)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "given twice" in answer.err


def test_a_named_model_that_one_table_lacks_is_an_error_and_another_is_left_out(
    run, two, tmp_path
) -> None:
    a, _ = two
    table = LatencyTable.read_csv(a)
    narrow = tmp_path / "narrow.csv"
    table.with_rows(
        row for row in table.rows if row.subject.as_dict().get("embed", 0) <= 384
    ).to_csv(narrow)
    named = run("compare", "--table", a, "--table", narrow, *MODELS)
    assert (named.code, named.is_one_sentence) == (2, True)
    assert "embed=768" in named.err
    drawn = run("compare", "--table", a, "--table", narrow)
    assert drawn.code == 0, drawn.err
    assert "left out: deit-base" in drawn.err
    assert "a guess with --extrapolate" in drawn.err
