"""Whatever happened to a table's bytes, reading works or says why not; rows never go silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.csv_format import encode_header, encode_row, read_table_file


def test_a_finished_table_cut_anywhere_is_refused_or_whole(
    table_text: str, three_rows: list[Row], tmp_path: Path
) -> None:
    data = table_text.encode()
    path = tmp_path / "table.csv"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        try:
            rows = LatencyTable.read_csv(path).rows
        except UserError:
            continue
        assert length >= len(data) - 21, f"cut to {length} of {len(data)} bytes unnoticed"
        assert len(rows) == 3
        assert [row.key for row in rows] == [row.key for row in three_rows]
        assert [row.latency_ms for row in rows[:2]] == [1.25, 2.5]


def test_a_journal_cut_anywhere_keeps_every_whole_line(
    mlp: Callable[..., Block],
    row_of: Callable[..., Row],
    failed_row: Callable[..., Row],
    tmp_path: Path,
) -> None:
    """Cut inside a character of two bytes too: the device's name and the error have such."""
    setting = Setting("é", "x")
    rows = [row_of(mlp(16), 1.25), failed_row(mlp(32), "é, ü"), row_of(mlp(64), 2.5)]
    header = encode_header({"setting": setting.as_dict(), "state": "measuring"}).encode()
    lines = [encode_row(row, setting).encode() for row in rows]
    data = header + b"".join(lines)
    path = tmp_path / "table.csv"
    for length in range(len(header), len(data) + 1):
        path.write_bytes(data[:length])
        whole = data[:length].count(b"\n") - 3
        file = read_table_file(path)
        assert [row.key for row in file.rows] == [row.key for row in rows[:whole]]
        assert bool(file.torn) == (not data[:length].endswith(b"\n"))


PIECES = st.binary(max_size=4) | st.sampled_from(
    [b"\n", b",", b'"', b"#", b"\r", b"\0", b"9" * 5000, b"\xff", b"{", b"-", b"nan", b"1e999"]
)


@hypothesis_settings(max_examples=400)
@given(
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), PIECES), min_size=1, max_size=4)
)
@example(edits=[(0.02, 0, b"9" * 5000)])
def test_changed_bytes_never_raise_anything_but_a_user_error(
    table_text: str, tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, int, bytes]]
) -> None:
    data = table_text.encode()
    for where, removed, added in edits:
        at = int(where * len(data))
        data = data[:at] + added + data[at + removed :]
    path = tmp_path_factory.mktemp("fuzz") / "table.csv"
    path.write_bytes(data)
    try:
        table = LatencyTable.read_csv(path)
    except UserError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)
    else:
        assert len(table.rows) == 3 or table.unfinished or b'"rows": 3' not in data
        table.to_text()
    assert path.read_bytes() == data
