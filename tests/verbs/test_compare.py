"""`vitprof.compare` of models by one table, and of tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import vitprof
from vitprof.tables.comparison.across import Across
from vitprof.tables.comparison.comparison import Comparison


@pytest.fixture
def slow(table, tmp_path: Path) -> vitprof.LatencyTable:
    """The same table where attention takes four times as long."""
    rows = [
        replace(row, latency_ms=4 * row.latency_ms, low_ms=4 * row.low_ms, high_ms=4 * row.high_ms)
        if row.subject.op == "attention"
        else row
        for row in table.block_rows
    ]
    table.with_rows(rows).to_csv(tmp_path / "slow.csv")
    return vitprof.LatencyTable.read_csv(tmp_path / "slow.csv")


def test_models_are_compared_drawn_and_saved(table, tmp_path: Path) -> None:
    found = vitprof.compare((), table, samples=5, seed=2)
    assert isinstance(found, Comparison)
    frame = found.to_frame()
    assert len(frame) == len(found.models) == 5
    assert list(frame["macs"]) == sorted(frame["macs"])
    assert repr(found).startswith("5 models on cpu: Kendall tau")
    assert "<table" in found._repr_html_()
    found.save(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "compare.csv",
        "compare.png",
        "report.json",
    ]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [model["model"] for model in report["models"]] == list(frame["model"])


def test_tables_are_compared(table, slow, tmp_path: Path) -> None:
    found = vitprof.compare((), [table, slow], samples=8, seed=1)
    assert isinstance(found, Across)
    frame = found.to_frame()
    assert list(frame.columns[:7]) == [
        "model",
        "macs",
        "rank_macs",
        "small_ms",
        "small_low_ms",
        "small_high_ms",
        "small_rank",
    ]
    assert len(frame) == 8
    assert (frame["slow_ms"] > frame["small_ms"]).all()
    assert repr(found).startswith("8 models on small, slow")
    assert found.report()["order"] == ["small", "slow"]
    found.plot(tmp_path / "across.png")
    assert (tmp_path / "across.png").stat().st_size > 10_000


def test_what_cannot_be_compared_is_one_sentence(table, slow, refused) -> None:
    with refused("`measure`", "one `tables`"):
        vitprof.compare((), [table, slow], measure=True)
    with refused("`time` goes with `measure`"):
        vitprof.compare((), table, samples=5, time="3m")
    with refused("'soon' is not a time"):
        vitprof.compare((), table, samples=5, measure=True, time="soon")
    with refused("given twice"):
        vitprof.compare((), [table.source, table.source])
    with refused("outside the table"):
        vitprof.compare("vit-large", table)


def test_a_model_that_is_given_twice_is_compared_once(table) -> None:
    found = vitprof.compare(["vit-micro-8", "vit-micro-8"], table, extrapolate=True)
    assert [model.model for model in found.models] == ["vit-micro-8"]
