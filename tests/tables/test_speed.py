"""A table stated at another speed of its machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vitprof.errors import UserError
from vitprof.models import Block, ViTSpec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.header import TableHeader
from vitprof.tables.references import Drift, Readings, References
from vitprof.tables.speed import speed_of

MLP = Block.of("mlp", embed=8, mlp=16, tokens=5)
DRIFT = Drift(2.0, 1.2, 3.0, undisturbed_ms=1.0)
SETTING = Setting("cpu", "onnxruntime")


def models() -> list[ViTSpec]:
    return [
        ViTSpec.uniform(8, layers, 1, resolution=4, patch=2, in_channels=1, classes=2, mlp=16)
        for layers in (1, 2, 3, 4)
    ]


@pytest.fixture
def table() -> LatencyTable:
    """Blocks follow the reference by its square root, models as it does."""
    blocks = dict.fromkeys(block for spec in models() for block in spec.blocks())
    rows = [
        Row(b, latency_ms=1.0, low_ms=0.9, high_ms=1.1, reference=MLP, exponent=0.5) for b in blocks
    ]
    rows += [
        Row(
            spec,
            "in_model",
            latency_ms=1.1 * len(spec.blocks()),
            low_ms=1.0 * len(spec.blocks()),
            high_ms=1.2 * len(spec.blocks()),
            reference=MLP,
        )
        for spec in models()
    ]
    header = TableHeader(
        SETTING,
        references=References(MLP, MLP),
        readings={MLP: Readings(DRIFT, 0.01)},
        stated_at="undisturbed",
    )
    return calibrated(LatencyTable(rows, header))


def test_each_row_moves_by_its_own_exponent_and_lines_are_fitted_anew(table: LatencyTable) -> None:
    typical = table.at("typical")
    assert typical.header.stated_at == "typical"
    assert typical.block_rows[0].latency_ms == pytest.approx(2**0.5)
    assert typical.model_rows[0].low_ms == pytest.approx(2.0 * table.model_rows[0].low_ms)
    spec = models()[2]
    assert typical.predict(spec).ms == pytest.approx(2 * table.predict(spec).ms, rel=0.02)
    assert table.speed_factor("typical") == pytest.approx(2.0)
    assert table.speed_factor("undisturbed") == 1.0


def test_there_and_back_is_the_same(table: LatencyTable) -> None:
    back = table.at("p90").at("typical").at("undisturbed")
    assert table.at("undisturbed") is table
    for row, again in zip(table.rows, back.rows, strict=True):
        assert again.latency_ms == pytest.approx(row.latency_ms)
        assert again.session_ms == row.session_ms


def test_it_is_written_and_read(table: LatencyTable, tmp_path) -> None:
    path = tmp_path / "lut.csv"
    table.at("p90").to_csv(path)
    read = LatencyTable.read_csv(path)
    assert read.header.stated_at == "p90"
    assert read.rows[0].exponent == 0.5
    assert read.header.readings[MLP].drift == DRIFT
    assert read.at("undisturbed").rows[0].latency_ms == pytest.approx(1.0)


def test_a_failed_row_stays(table: LatencyTable) -> None:
    failed = Row(Block.of("mlp", embed=8, mlp=4096, tokens=5), verdict="failed", error="no")
    assert table.with_rows([*table.rows, failed]).at("p90").rows[-1] == failed


@pytest.mark.parametrize(
    ("readings", "imported", "words"),
    [
        (
            {MLP: Readings(Drift(2.0, 1.0, 3.0))},
            (),
            "an older vitprof measured it: it knows typical",
        ),
        ({MLP: Readings()}, (), "without a reference"),
        ({}, ({"tool": "nn-meter"},), "another tool's"),
    ],
)
def test_a_speed_that_the_table_does_not_know_is_refused_with_what_it_knows(
    readings, imported, words: str, table: LatencyTable
) -> None:
    header = replace(table.header, readings=readings, imported=imported, stated_at="typical")
    old = LatencyTable(table.rows, header)
    if not imported:
        assert old.at("typical") is old
    else:
        with pytest.raises(UserError, match=words):
            old.at("typical")
    with pytest.raises(UserError, match=words):
        old.at("undisturbed")


def test_another_word_is_refused_with_a_suggestion(table: LatencyTable) -> None:
    with pytest.raises(UserError, match=r"'typcal' is not a speed \(did you mean 'typical'\?\)"):
        table.at("typcal")
    assert speed_of("p90") == "p90"
