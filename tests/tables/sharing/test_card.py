"""A table's card: made of its header, and nothing that a header says can leave its cell."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader
from vitprof.tables.sharing.card import card_of, machine_of, trust_in_words
from vitprof.tables.sharing.index import BEGIN, END, with_index
from vitprof.tables.sharing.plain_text import markdown, printable, slug


def mlp(embed: int, **of_row) -> Row:
    block = Block.of("mlp", embed=embed, mlp=32, tokens=5)
    return Row(block, latency_ms=1.0, low_ms=0.99, high_ms=1.01, **of_row)


@pytest.fixture
def table(setting: Setting) -> LatencyTable:
    header = TableHeader(
        setting,
        environment={
            "machine": {"cpu": "Some CPU | 3 GHz", "logical_cores": 8, "odd": None},
            "runtime": {"onnxruntime": "1.31.1"},
        },
        protocol={"sessions": 3, "sampling": {"timed_ms": 100.0}},
        vitprof="0.2.0",
        licence="CC-BY-4.0",
    )
    rows = [mlp(8, measured_at="2026-01-02T10:00:00"), mlp(16, verdict="unstable")]
    return LatencyTable(rows, header)


def test_the_card_says_what_how_and_how_far(table: LatencyTable) -> None:
    card = card_of(table, "some-cpu")
    for fact in [
        "# some-cpu",
        "| device | cpu |",
        "| licence | CC-BY-4.0 |",
        "| measured | 2026-01-02 |",
        r"| cpu | Some CPU \| 3 GHz |",
        "| onnxruntime | 1.31.1 |",
        "| sessions | 3 |",
        "| timed_ms | 100.0 |",
        "| mlp | 2 | embed 8, 16; mlp 32; tokens 5 | 1 to 1 |",
        "- rows: 1 stable, 1 unstable",
        "vitprof predict --table some-cpu.csv",
    ]:
        assert fact in card
    assert "odd" not in card


def test_trust_is_unknown_of_imported_tables(setting: Setting) -> None:
    origin = {"tool": "nn-Meter", "unit": "ms", "unit_from": "given at import"}
    header = TableHeader(setting, imported=(origin,))
    row = Row(Block.of("gelu", rows=1, columns=2), verdict="imported", latency_ms=1.0)
    table = LatencyTable([row], header)
    assert trust_in_words(table) == "unknown: imported from nn-Meter"
    card = card_of(table, "phone")
    assert "- unit of the file: ms (given at import)" in card
    assert "vitprof predict" not in card
    assert "not stated" in card


def test_a_gpu_is_named(table: LatencyTable) -> None:
    assert machine_of(table) == "cpu (Some CPU | 3 GHz)"
    header = replace(
        table.header,
        setting=replace(table.setting, device="cuda"),
        environment={"machine": {"gpu": "Some GPU", "cpu": "Other"}},
    )
    assert machine_of(LatencyTable(table.rows, header)) == "cuda (Some GPU)"


@given(st.text(max_size=60))
def test_no_text_leaves_its_cell(text: str) -> None:
    shown = markdown(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<>`\[\]]", shown)
    assert all(c.isprintable() for c in printable(text))


@given(st.lists(st.text(max_size=30), max_size=4))
def test_a_slug_is_a_file_name(parts: list[str]) -> None:
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", slug(*parts))


def test_the_index_leaves_what_people_wrote(table: LatencyTable) -> None:
    first = with_index("# Ours\n\nHello.\n", [("b", table)])
    assert first.startswith("# Ours\n\nHello.\n\n" + BEGIN)
    again = with_index(first + "\nMore.\n", [("a", table), ("b", table)])
    assert again.startswith("# Ours\n\nHello.\n\n")
    assert again.endswith(END + "\n\nMore.\n")
    assert again.count("[a](tables/a.md)") == again.count("[b](tables/b.md)") == 1
    assert with_index(again, [("a", table), ("b", table)]) == again
    assert with_index("", [("a", table)]).startswith("# Latency tables")
