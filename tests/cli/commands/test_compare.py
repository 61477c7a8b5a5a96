"""`vitprof compare` and `vitprof table` on a table of known content."""

from __future__ import annotations

import json
import struct

import pandas as pd
from vitprof.tables import LatencyTable


def test_the_named_models_a_table_covers_are_compared(run, lut, tmp_path) -> None:
    out, plot = tmp_path / "compare.csv", tmp_path / "compare.png"
    answer = run("compare", "--table", lut, "--out", out, "--plot", plot, "--json")
    assert answer.code == 0
    names = [model["model"] for model in answer.json["models"]]
    assert {"deit-tiny", "deit-small", "deit-base"} <= set(names)
    assert "vit-large" not in names
    assert answer.json["kendall_tau"] == 1.0
    assert answer.json["inversions"] == []
    frame = pd.read_csv(out)
    assert list(frame["model"]) == names
    width, height = struct.unpack(">II", plot.read_bytes()[16:24])
    assert width > 800
    assert height > 400


def test_random_models_are_repeatable(run, lut) -> None:
    first = run("compare", "--table", lut, "--samples", "5", "--seed", "3", "--json").out
    assert run("compare", "--table", lut, "--samples", "5", "--seed", "3", "--json").out == first
    assert len(json.loads(first)["models"]) == 5
    text = run("compare", "--table", lut, "--samples", "5").out
    assert "Kendall tau" in text


def test_a_picture_that_cannot_be_written_is_one_sentence(run, lut, tmp_path) -> None:
    for plot in (tmp_path / "no" / "x.png", tmp_path / "x.gift"):
        answer = run("compare", "--table", lut, "--plot", plot)
        assert answer.code == 2
        assert answer.is_one_sentence


def test_export(run, lut, tmp_path) -> None:
    rows = len(LatencyTable.read_csv(lut).rows)
    csv_out = tmp_path / "plain.csv"
    assert run("table", "export", lut, "--out", csv_out).code == 0
    assert len(pd.read_csv(csv_out)) == rows
    exported = run("table", "export", lut, "--format", "json").json
    assert len(exported["rows"]) == rows
    assert exported["setting"]["device"] == "cpu"
    markdown = run("table", "export", lut, "--format", "markdown").out
    assert len(markdown.splitlines()) == rows + 2
    before = lut.read_bytes()
    assert run("table", "export", lut, "--out", lut).code == 2
    assert lut.read_bytes() == before
    assert run("table", "export", lut, "--format", "yaml").code == 2


def test_merge(run, lut, tmp_path) -> None:
    table = LatencyTable.read_csv(lut)
    half = tmp_path / "half.csv"
    LatencyTable(table.rows[:10], table.setting).to_csv(half)
    out = tmp_path / "both.csv"
    assert run("table", "merge", half, lut, "--out", out, "--json").json["rows"] == len(table.rows)
    assert run("table", "merge", half, lut, "--out", out).code == 2
    other = tmp_path / "other.csv"
    other.write_text(lut.read_text().replace('"batch": 1', '"batch": 2'))
    answer = run("table", "merge", lut, other, "--out", tmp_path / "x.csv")
    assert answer.code == 2
    assert not (tmp_path / "x.csv").exists()
