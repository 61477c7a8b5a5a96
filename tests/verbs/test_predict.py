"""`vitprof.predict` and what a table and its answer show of themselves."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest
import vitprof

pytestmark = pytest.mark.slow

MODEL = "vit-micro-8"


def test_a_model_may_be_a_name_a_file_or_a_spec_and_a_table_a_path(table, tmp_path: Path) -> None:
    spec = vitprof.create_spec(MODEL)
    (tmp_path / "spec.json").write_text(spec.to_json())
    expected = table.predict(MODEL).ms
    for model in (MODEL, spec, tmp_path / "spec.json", str(tmp_path / "spec.json")):
        for lut in (table, table.source, Path(table.source)):
            assert vitprof.predict(model, lut).ms == expected
        assert table.predict(model).ms == expected


def test_an_answer_shows_itself(table, tmp_path: Path) -> None:
    answer = vitprof.predict(MODEL, table)
    frame = answer.to_frame()
    assert frame["ms"].sum() + answer.offset_ms == pytest.approx(answer.ms)
    assert frame["count"].sum() == len(answer.by_block)
    assert repr(answer).startswith(f"{MODEL}: {answer.ms:.4g} ms [")
    assert "<table" in answer._repr_html_()
    assert list(answer.report()) == [
        "model",
        "latency_ms",
        "predicted_ms",
        "low_ms",
        "high_ms",
        "by_op",
        "by_block",
        "extrapolated",
        "unstable_share",
        "transferred_share",
        "offset_ms",
        "how",
        "missing",
        "unknown",
        "priced",
        "setting",
        "at",
        "undisturbed_ms",
        "typical_ms",
        "p90_ms",
        "max_latency_ms",
        "fits",
        "certain",
        "margin_ms",
    ]
    answer.plot(tmp_path / "answer.svg")
    assert "mlp" in (tmp_path / "answer.svg").read_text()


def test_another_setting_than_required_is_refused(table, refused) -> None:
    vitprof.predict(MODEL, table, require_device="cpu", require_batch=1, require_threads=1)
    for other in ({"require_device": "t4"}, {"require_batch": 8}, {"require_dtype": "fp16"}):
        with refused("was measured with", str(next(iter(other.values())))):
            vitprof.predict(MODEL, table, **other)


def test_outside_the_table_is_refused_or_marked(table, refused) -> None:
    with refused("outside the table", "`extrapolate`"):
        vitprof.predict("deit-tiny", table)
    assert "attention.tokens" in vitprof.predict("deit-tiny", table, extrapolate=True).extrapolated


def test_a_table_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch, refused) -> None:
    monkeypatch.chdir(tmp_path)
    with refused("'lut.csv' does not exist", "vitprof measure"):
        vitprof.predict(MODEL)


@pytest.fixture
def interrupted(table, tmp_path: Path) -> vitprof.LatencyTable:
    """The table before any classifier was measured."""
    rows = [row for row in table.block_rows if row.subject.op != "classifier"]
    begun = table.with_rows(rows)
    begun.unfinished = True
    begun.to_csv(tmp_path / "begun.csv")
    return vitprof.LatencyTable.read_csv(tmp_path / "begun.csv")


def test_an_op_that_an_interrupted_table_lacks_is_unfinished_not_unknown(
    interrupted, refused
) -> None:
    with refused("is unfinished", "interrupted before any 'classifier'", "continue with"):
        vitprof.predict(MODEL, interrupted)


def test_of_an_interrupted_table_the_rest_is_predicted_with_a_warning(interrupted, caplog) -> None:
    with caplog.at_level(logging.WARNING, "vitprof"):
        answer = vitprof.predict(MODEL, interrupted, partial=True)
    assert [block.op for block in answer.missing] == ["classifier"]
    assert "unfinished" in caplog.text


def test_a_table_shows_itself(table, tmp_path: Path) -> None:
    text = repr(table)
    assert text.startswith(f"{table.source}: {len(table.rows)} rows of cpu")
    for op in table.ops:
        assert op in text
    assert "whole vit models" in text
    assert "<table" in table._repr_html_()
    assert table.report()["ops"].keys() == set(table.ops)
    figure = table.plot(tmp_path / "table.png")
    assert (tmp_path / "table.png").stat().st_size > 10_000
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == [*table.ops, "whole models"]
    table.save(tmp_path / "copy.csv")
    pd.testing.assert_frame_equal(
        vitprof.LatencyTable.read_csv(tmp_path / "copy.csv").to_frame(), table.to_frame()
    )


def test_a_subclass_reads_itself(table) -> None:
    class Mine(vitprof.LatencyTable):
        pass

    mine = Mine.read_csv(table.source)
    assert type(mine) is Mine
    assert type(mine.with_rows(mine.block_rows)) is Mine
