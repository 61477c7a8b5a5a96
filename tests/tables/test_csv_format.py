"""What is written is what is read, here and by pandas."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import Block, ViTSpec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.csv_format import COLUMNS, encode_header, encode_row, read_table_file
from vitprof.tables.header import TableHeader
from vitprof.tables.references import NO_REFERENCES, Readings

pytestmark = pytest.mark.slow


def as_written(row: Row) -> str:
    """What of a row survives, NaN included: an error becomes one line of encodable text."""
    text = row.error.encode("utf-8", "replace").decode().replace("\0", " ")
    return repr(replace(row, error=" ".join(text.split())))


@settings(max_examples=40)
@given(data=st.data())
def test_written_rows_setting_and_header_are_read_back(
    data: st.DataObject,
    row_lists: st.SearchStrategy[list[Row]],
    settings_of_tables: st.SearchStrategy[Setting],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = data.draw(row_lists)
    setting = data.draw(settings_of_tables)
    environment = {"machine": {"cpu": data.draw(st.text(st.characters(codec="utf-8")))}}
    path = tmp_path_factory.mktemp("table") / "table.csv"
    readings = {None: Readings(None, 0.01)}
    header = TableHeader(
        setting,
        environment,
        {"sessions": 3},
        references=NO_REFERENCES,
        readings=readings,
        unknown={"newer": [1, {"a": None}]},
    )
    table = LatencyTable(rows, header)
    table.to_csv(path)

    read = LatencyTable.read_csv(path)

    assert [repr(row) for row in read.rows] == [as_written(row) for row in rows]
    assert read.setting == setting
    assert read.environment == environment
    assert read.protocol == {"sessions": 3}
    assert read.header == header
    assert not read.unfinished
    assert read.to_text() == table.to_text()


@settings(max_examples=40)
@given(data=st.data())
def test_pandas_reads_the_same_rows_and_numbers(
    data: st.DataObject,
    row_lists: st.SearchStrategy[list[Row]],
    settings_of_tables: st.SearchStrategy[Setting],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = data.draw(row_lists)
    setting = data.draw(settings_of_tables)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    LatencyTable(rows, setting).to_csv(path)

    frame = pd.read_csv(
        path, comment="#", keep_default_na=False, na_values=[""], dtype={"device": str}
    )

    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == len(rows)
    assert list(frame["measured_at"]) == [row.measured_at for row in rows]
    assert list(frame["verdict"]) == [row.verdict for row in rows]
    assert list(frame["macs"]) == [row.subject.macs for row in rows]
    assert list(frame["device"]) == [setting.device] * len(rows)
    for ms, row in zip(frame["latency_ms"], rows, strict=True):
        assert ms == pytest.approx(row.latency_ms, rel=1e-12, nan_ok=True)


def test_to_frame_is_what_pandas_reads_from_the_file(
    three_rows: list[Row], setting: Setting, tmp_path: Path
) -> None:
    table = LatencyTable(three_rows, setting)
    table.to_csv(tmp_path / "table.csv")
    read = pd.read_csv(tmp_path / "table.csv", comment="#")
    pd.testing.assert_frame_equal(table.to_frame(), read)
    assert list(read["latency_ms"][:2]) == [1.25, 2.5]
    assert math.isnan(read["latency_ms"][2])


def test_every_row_is_one_line_whatever_its_error_says(
    mlp: Callable[..., Block], failed_row: Callable[..., Row], setting: Setting
) -> None:
    line = encode_row(failed_row(mlp(), "a\r\nb\rc\u2028d\x85e\x00f\ud800"), setting)
    assert len(line.splitlines()) == 1
    assert "a b c d e f?" in line
    line.encode()


def test_a_name_with_two_spaces_stays_the_same_model(row_of: Callable[..., Row]) -> None:
    """Otherwise a resumed run would not find the model it has measured."""
    spec = ViTSpec.uniform(24, 1, 1, name="a  b")
    line = encode_row(row_of(spec, 1.0), Setting("cpu", "x"))
    assert "a  b" in line


def test_columns_may_stand_in_any_order(
    table_text: str, three_rows: list[Row], tmp_path: Path
) -> None:
    lines = table_text.splitlines()
    reversed_lines = [",".join(reversed(line.split(","))) for line in lines[2:]]
    path = tmp_path / "table.csv"
    path.write_text("\n".join([*lines[:2], *reversed_lines, ""]))
    assert repr(LatencyTable.read_csv(path).rows) == repr(three_rows)


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.encode() + b"\n\n",
    ],
    ids=["crlf", "bom", "crlf-bom", "no-last-newline", "blank-lines"],
)
def test_a_file_saved_by_another_program_reads_the_same(
    saved: Callable[[str], bytes], table_text: str, three_rows: list[Row], tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(saved(table_text))
    table = LatencyTable.read_csv(path)
    assert repr(table.rows) == repr(three_rows)
    assert table.environment == {"machine": {"cpu": "toy é"}}


def test_a_table_from_before_an_op_lacks_its_axes(
    three_rows: list[Row], table_text: str, tmp_path: Path
) -> None:
    lines = table_text.splitlines()
    position = lines[2].split(",").index("kernel")
    cut = [
        ",".join(f for i, f in enumerate(line.split(",")) if i != position) for line in lines[2:]
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join([*lines[:2], *cut, ""]))
    assert repr(LatencyTable.read_csv(path).rows) == repr(three_rows)


def test_an_unfinished_file_gives_what_is_done_and_its_torn_line(
    three_rows: list[Row], setting: Setting, tmp_path: Path
) -> None:
    header = encode_header({"setting": setting.as_dict(), "state": "measuring"})
    partial = encode_row(replace(three_rows[1], verdict="partial"), setting)
    done = encode_row(three_rows[0], setting)
    torn = encode_row(three_rows[2], setting)[:-9].encode()
    path = tmp_path / "table.csv"
    path.write_bytes((header + done + partial).encode() + torn)

    file = read_table_file(path)
    assert file.measuring
    assert file.torn == torn
    assert [row.verdict for row in file.rows] == ["stable", "partial"]

    table = LatencyTable.read_csv(path)
    assert table.unfinished
    assert repr(table.rows) == repr(three_rows[:1])


def test_the_later_row_of_a_point_counts_in_an_unfinished_file(
    mlp: Callable[..., Block], row_of: Callable[..., Row], setting: Setting, tmp_path: Path
) -> None:
    header = encode_header({"setting": setting.as_dict(), "state": "measuring"})
    rows = [row_of(mlp(), 1.0), row_of(mlp(), 3.0)]
    path = tmp_path / "table.csv"
    path.write_text(header + "".join(encode_row(row, setting) for row in rows))
    assert [row.latency_ms for row in LatencyTable.read_csv(path).rows] == [3.0]


def test_bytes_count_weights_once_and_activations_a_batch(
    mlp: Callable[..., Block], row_of: Callable[..., Row], setting: Setting
) -> None:
    block = mlp(embed=16, mlp=32, tokens=5)
    half = replace(setting, batch=4, dtype="fp16")
    frame = LatencyTable([row_of(block, 1.0)], half).to_frame()
    assert frame["bytes"][0] == 2 * (block.params + 4 * (5 * 16 + 5 * 16))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("cores", "-1", "cores is '-1', not a number between 0"),
        ("cores", "two", "cores is 'two'"),
        ("cores", "nan", "cores is 'nan'"),
        ("delegated", "1.2", "delegated is '1.2', not a number between 0 and 1"),
        ("effective_dtype", "x" * 41, "which names no precision"),
    ],
)
def test_what_a_runtime_tells_has_limits(
    column: str, value: str, words: str, grid_rows: Callable[..., list[Row]], tmp_path: Path
) -> None:
    lines = _one_row(grid_rows, tmp_path)
    cells = lines[3].split(",")
    cells[COLUMNS.index(column)] = value
    (tmp_path / "t.csv").write_text("\n".join([*lines[:3], ",".join(cells), ""]))
    with pytest.raises(UserError, match=re.escape(words)):
        LatencyTable.read_csv(tmp_path / "t.csv")


def test_a_table_of_an_older_vitprof_lacks_what_a_runtime_tells(
    grid_rows: Callable[..., list[Row]], tmp_path: Path
) -> None:
    lines = _one_row(grid_rows, tmp_path)
    told = [COLUMNS.index(name) for name in ("cores", "effective_dtype", "delegated")]
    for number in (2, 3):
        cells = [cell for n, cell in enumerate(lines[number].split(",")) if n not in told]
        lines[number] = ",".join(cells)
    (tmp_path / "t.csv").write_text("\n".join([*lines, ""]))
    (row,) = LatencyTable.read_csv(tmp_path / "t.csv").rows
    assert (row.cores, row.effective_dtype, row.delegated) == (None, "", None)


def _one_row(grid_rows: Callable[..., list[Row]], folder: Path) -> list[str]:
    """Return the lines of a table of one row, without its last newline."""
    (row, *_) = grid_rows("mlp", lambda **dims: 1.0, embed=[8], mlp=[16], tokens=[5])
    path = folder / "whole.csv"
    LatencyTable([row], Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path.read_text().splitlines()
