"""What the parts say, the merged table says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from vitprof.models import Block, Spec, create_spec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.header import TableHeader
from vitprof.tables.importers import import_table
from vitprof.tables.merge import fits, merge_tables
from vitprof.tables.references import Drift, Readings, Reference, References
from vitprof.tables.speed_histogram import SpeedHistogram

RowOf = Callable[..., Row]
MLP = Block.of("mlp", embed=8, mlp=48, tokens=2)
WIDE = Block.of("mlp", embed=8, mlp=96, tokens=2)
M0 = create_spec("efficientvit-m0")
DRIFT = Drift(2.0, 1.5, 2.5)
AT_EASE = Readings(DRIFT, 0.01)


def typical_of(showed: Readings) -> float:
    assert showed.drift is not None
    return showed.drift.typical_ms


@pytest.fixture
def part(setting: Setting, row_of: RowOf) -> Callable[..., LatencyTable]:
    """Return a table with rows of these subjects: part(reference, subject, ..., drift=...)."""

    def table(
        reference: Reference, *subjects: Block | Spec, showed: Readings = AT_EASE, **said: Any
    ) -> LatencyTable:
        rows = [
            replace(row_of(one, 1.0), reference=reference, reference_ms=(typical_of(showed),) * 3)
            for one in subjects
        ]
        references = References(reference, reference)
        header = TableHeader(setting, references=references, readings={reference: showed}, **said)
        return LatencyTable(rows, header)

    return table


def test_a_reference_that_all_have_stays_with_its_drift_and_spread(part) -> None:
    merged = merge_tables([part(MLP, MLP, vitprof="1"), part(MLP, WIDE)])
    assert merged.header == part(MLP, vitprof="1").header
    assert merged.references.of(M0) == MLP
    assert merged.header.reference_ms() == {MLP: 2.0}
    assert merged.header.session_sd == 0.01


def test_what_a_reference_showed_in_two_parts_is_read_from_all_rows(part) -> None:
    slower = Readings(Drift(4.0, 3.0, 5.0), 0.03)
    merged = merge_tables([part(MLP, MLP), part(MLP, WIDE, showed=slower)])
    assert merged.header.of_blocks.drift == Drift(3.0, 2.0, 4.0)
    assert merged.header.session_sd == pytest.approx((0.01**2 / 2 + 0.03**2 / 2) ** 0.5, abs=1e-5)


def test_parts_of_different_references_keep_each_its_own(part, tmp_path) -> None:
    other = Readings(Drift(4.0, 3.0, 5.0), 0.03)
    merged = merge_tables([part(MLP, MLP), part(WIDE, WIDE, M0, showed=other)])
    merged.to_csv(tmp_path / "both.csv")
    for table in (merged, LatencyTable.read_csv(tmp_path / "both.csv")):
        assert [row.reference for row in table.rows] == [MLP, WIDE, WIDE]
        assert table.header.readings == {MLP: AT_EASE, WIDE: other}
        assert table.references.of(M0) == WIDE, "validate and compare measure beside this one"
        assert table.header.session_sd == 0.01, "search allows for this noise"


def test_what_measuring_took_and_what_was_measured_for_is_kept(part) -> None:
    space = {"family": "autovit"}
    node = {"node": "a", "sessions": 3, "reference_ms": None}
    merged = merge_tables(
        [
            part(MLP, MLP, seconds={"total": 1.5}, fleet=(node,), observed={"os": "x"}),
            part(
                MLP,
                WIDE,
                seconds={"total": 2.0},
                search_space=space,
                built={"version": "1"},
                unknown={"newer": 1},
            ),
        ]
    )
    header = merged.header
    assert header.seconds == {"total": 3.5}
    assert (header.search_space, header.built, header.observed) == (
        space,
        {"version": "1"},
        {"os": "x"},
    )
    assert (header.fleet, header.unknown) == ((node,), {"newer": 1})


def test_of_two_search_spaces_the_first_is_kept_with_a_warning(part, caplog) -> None:
    with caplog.at_level(logging.WARNING, "vitprof"):
        merged = merge_tables(
            [part(MLP, MLP, search_space={"a": 1}), part(MLP, WIDE, search_space={})]
        )
    assert merged.header.search_space == {"a": 1}
    assert "search spaces" in caplog.text


def test_an_imported_table_says_so_after_merging(tmp_path) -> None:
    for name, mlp in (("a", 64), ("b", 128)):
        nested = f'{{"EMB_64": {{"QK_2_32": {{"V_32": {{"MLP_{mlp}": 1.5}}}}}}}}'
        (tmp_path / f"{name}.json").write_text(nested)
    parts = [
        import_table("nvit", tmp_path / f"{n}.json", "v100", unit="ms").table for n in ("a", "b")
    ]
    merged = merge_tables(parts)
    assert [origin["file"] for origin in merged.header.imported] == ["a.json", "b.json"]
    merged.to_csv(tmp_path / "both.csv")
    again = LatencyTable.read_csv(tmp_path / "both.csv")
    assert again.header == merged.header
    block = again.rows[0].subject
    assert isinstance(block, Block)


@pytest.fixture
def unlike(with_models: LatencyTable) -> tuple[LatencyTable, LatencyTable]:
    """Two tables of the same blocks; whole models of the second take three times as long."""
    whole = calibrated(with_models)
    slow = [
        replace(
            row,
            latency_ms=3 * row.latency_ms,
            high_ms=4 * row.high_ms,
            subject=replace(row.subject, name=f"slow {row.subject.name}"),
        )
        for row in whole.model_rows
    ]
    other = calibrated(whole.with_rows([*whole.block_rows, *slow]))
    other.source = "slow.csv"
    return whole, other


def test_merging_what_one_line_does_not_fit_is_refused(
    unlike: tuple[LatencyTable, LatencyTable], refused: Callable[..., Any]
) -> None:
    whole, other = unlike
    merge_tables([whole, whole])
    with refused("whole vit models err by", "slow.csv", "keep the tables apart", "`force`"):
        merge_tables([whole, other])


def test_what_is_forced_is_merged_and_says_its_fit(
    unlike: tuple[LatencyTable, LatencyTable],
) -> None:
    merged = merge_tables(unlike, force=True)
    assert len(merged.model_rows) == 12
    assert fits(merged)["vit"] > 0.1 > max(fits(part)["vit"] for part in unlike)


def test_readings_of_several_parts_are_counted_together(part) -> None:
    fast, slow = (SpeedHistogram.of([ms] * 10) for ms in (2.0, 3.0))
    merged = merge_tables(
        [
            part(MLP, block, showed=Readings(Drift.of(seen), 0.01, seen), stated_at="undisturbed")
            for block, seen in ((MLP, fast), (WIDE, slow))
        ]
    )
    assert merged.header.stated_at == "undisturbed"
    showed = merged.header.of_blocks
    assert showed.histogram is not None
    assert showed.histogram.total == 20
    assert merged.header.reference_ms() == {MLP: pytest.approx(2.0)}


def test_tables_of_different_speeds_are_brought_to_the_typical_one(part) -> None:
    readings = SpeedHistogram.of([2.0] * 4 + [3.0] * 6)
    showed = Readings(Drift.of(readings), 0.01, readings)
    merged = merge_tables([part(MLP, MLP, showed=showed, stated_at="undisturbed"), part(MLP, WIDE)])
    assert merged.header.stated_at == "typical"
    moved, kept = (row.latency_ms for row in merged.rows)
    assert (moved, kept) == (pytest.approx(1.5, rel=1e-3), 1.0)
