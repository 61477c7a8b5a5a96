"""Joined tables are of one machine and setting, and keep the better row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vitprof.models import Block, ViTSpec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.merge import merge_tables

Mlp = Callable[..., Block]
RowOf = Callable[..., Row]


def test_rows_of_all_tables_stand_in_the_merged_one(
    vit_rows: list[Row],
    vit_table: LatencyTable,
    small_vit: Callable[..., ViTSpec],
    tmp_path: Path,
) -> None:
    parts = [
        LatencyTable(rows, vit_table.setting, vit_table.environment, vit_table.protocol)
        for rows in (vit_rows[:9], vit_rows[9:])
    ]
    merged = merge_tables(parts)
    assert merged.rows == vit_rows
    assert (merged.setting, merged.environment) == (vit_table.setting, vit_table.environment)
    assert merged.protocol == vit_table.protocol
    assert merged.predict(small_vit()).ms == vit_table.predict(small_vit()).ms
    merged.to_csv(tmp_path / "both.csv")
    assert len(LatencyTable.read_csv(tmp_path / "both.csv").rows) == len(vit_rows)


def test_the_row_with_most_sessions_is_kept(mlp: Mlp, row_of: RowOf, setting: Setting) -> None:
    many = row_of(mlp(), 1.0, session_ms=(1.0,) * 5, measured_at="2026-01-01T00:00:00Z")
    few = row_of(mlp(), 2.0, session_ms=(2.0,) * 3, measured_at="2026-05-01T00:00:00Z")
    for order in ([many, few], [few, many]):
        merged = merge_tables([LatencyTable([row], setting) for row in order])
        assert merged.rows == [many]


def test_of_equal_sessions_the_latest_is_kept(mlp: Mlp, row_of: RowOf, setting: Setting) -> None:
    old = row_of(mlp(), 1.0, measured_at="2026-01-01T00:00:00Z")
    new = row_of(mlp(), 2.0, measured_at="2026-05-01T00:00:00Z")
    for order in ([old, new], [new, old]):
        assert merge_tables([LatencyTable([row], setting) for row in order]).rows == [new]


def test_a_failed_row_gives_way_to_a_measured_one(
    mlp: Mlp, row_of: RowOf, failed_row: Callable[..., Row], setting: Setting
) -> None:
    failed, measured = failed_row(mlp(), measured_at="2027"), row_of(mlp(), 2.0, session_ms=())
    for order in ([failed, measured], [measured, failed]):
        assert merge_tables([LatencyTable([row], setting) for row in order]).rows == [measured]


def test_the_same_block_in_another_context_is_another_row(
    mlp: Mlp, row_of: RowOf, setting: Setting
) -> None:
    alone, inside = row_of(mlp(), 1.0), row_of(mlp(), 2.0, context="in_network")
    merged = merge_tables([LatencyTable([row], setting) for row in (alone, inside)])
    assert merged.rows == [alone, inside]


def test_tables_of_different_settings_are_refused(
    three_rows: list[Row], setting: Setting, refused: Callable[..., object]
) -> None:
    tables = [
        LatencyTable(three_rows, setting, source="a.csv"),
        LatencyTable(three_rows, replace(setting, batch=8, provider=""), source="b.csv"),
    ]
    with refused("a.csv", "b.csv", "batch 1 against 8", "provider CPUExecutionProvider against -"):
        merge_tables(tables)


def test_tables_of_different_machines_are_refused(
    three_rows: list[Row], setting: Setting, refused: Callable[..., object]
) -> None:
    here, there = {"machine": {"cpu": "A", "l2": 1}}, {"machine": {"cpu": "A", "l2": 2}}
    tables = [
        LatencyTable(three_rows, setting, here, source="a.csv"),
        LatencyTable(three_rows, setting, here, source="b.csv"),
        LatencyTable(three_rows, setting, there, source="c.csv"),
    ]
    with refused("a.csv", "c.csv", "machine.l2: 1 and 2"):
        merge_tables(tables)


def test_an_unfinished_table_is_refused(
    three_rows: list[Row], setting: Setting, refused: Callable[..., object]
) -> None:
    whole = LatencyTable(three_rows, setting)
    begun = LatencyTable(three_rows, setting, source="b.csv", unfinished=True)
    for tables in ([whole, begun], [begun, whole]):
        with refused("b.csv", "unfinished"):
            merge_tables(tables)


def test_no_table_at_all_is_refused(refused: Callable[..., object]) -> None:
    with refused("no table"):
        merge_tables([])
