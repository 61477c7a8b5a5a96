"""`vitprof bench`: protocols of the papers, and the table it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from vitprof.profiler.bench_protocols import PROTOCOLS

pytestmark = pytest.mark.slow

FEW = ("--sessions", "1", "--runs", "2", "--warmup", "0")
DONE = (0, 1)  # a busy machine may call a model unstable


def test_a_protocol_sets_what_is_not_given(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--protocol", "efficientvit", *FEW, "--json")
    assert answer.code in DONE, answer.err
    assert answer.json["batch"] == 16
    # What is given beside a protocol counts; runs that other work disturbed are made up for.
    assert 2 <= answer.json["samples"] + answer.json["set_aside"] <= 4
    answer = run("bench", "--model", "vit-micro-8", "--protocol", "optin", "--json")
    assert (answer.json["sessions"], answer.json["batch"]) == (1, 1)
    assert answer.json["samples"] + answer.json["set_aside"] >= 300


@pytest.mark.parametrize("ending", ["csv", "md"])
def test_a_table_has_a_line_a_model(run, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"t.{ending}"
    models = ("--model", "vit-micro-8", "--model", "vit-tiny-32")
    answer = run("bench", *models, *FEW, "--batch", "2", "--out", out, "--json")
    assert answer.code in DONE, answer.err
    if ending == "csv":
        header, *lines = list(csv.reader(out.open()))
    else:
        header, rule, *lines = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in out.read_text().splitlines()
        ]
        assert set("".join(rule)) == {"-", ":"}
    assert header[0] == "Model"
    assert "images/s" in header[1]
    results = answer.json["results"]
    for line, result in zip(lines, results, strict=True):
        cells = dict(zip(header, line, strict=True))
        assert cells["Model"] == result["model"]
        assert float(cells[header[1]]) == pytest.approx(result["images_per_s"], abs=0.06)
        assert float(cells["FLOPs (M)"]) == pytest.approx(2 * result["macs"] / 1e6, abs=0.51)
        assert (cells["Input"], cells["Batch"]) == (str(result["input"]), "2")
    assert lines[0][2] == "1.00"


def test_an_unknown_protocol_and_another_ending_are_refused(run, tmp_path: Path) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--protocol", "optim")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "did you mean 'optin'" in answer.err
    answer = run("bench", "--model", "vit-micro-8", "--out", tmp_path / "t.txt")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert ".csv or .md" in answer.err


def test_protocols_say_where_they_are_from() -> None:
    assert all(protocol.source for protocol in PROTOCOLS.values())
