"""Each damaged or foreign file is refused in one sentence, and nothing in it is executed."""

from __future__ import annotations

import csv
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from vitprof.errors import UserError
from vitprof.models import ViTSpec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.csv_format import COLUMNS, encode_header, encode_row

Refuses = Callable[..., None]
Edited = Callable[..., str]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b" \n\r\n\t", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not a text file"),
        (b"\x00\x01\x02", "binary"),
        ("latency in µs".encode("latin-1"), "not a text file"),
        ("# vitprof-table: 1\n".encode("utf-16"), "not a"),
        (b"op,latency_ms\nmlp,1.0\n", "line 1"),
        (b"# vitprof-table: 2\n", "format 2"),
        (b"# vitprof-table: one\n", "line 1"),
        (b"# vitprof-table: \n", "line 1"),
        (b"# vitprof-table: -1\n", "line 1"),
        (b"# vitprof-table: " + b"9" * 5000 + b"\n", "format"),
        (b"# vitprof-table: 1" + b"x" * 5000 + b"\n", "line 1"),
        (b"# vitprof-table: 1", "line 2"),
        (b"# vitprof-table: 1\n", "line 2"),
        (b"# vitprof-table: 1\nop,embed\n", "line 2"),
        (b"# vitprof-table: 1\n# [1, 2]\n", "line 2"),
        (b'# vitprof-table: 1\n# "text"\n', "line 2"),
        (b"# vitprof-table: 1\n# {not JSON}\n", "JSON"),
        (b'# vitprof-table: 1\n# {"setting": {}, "x": NaN}\n', "NaN"),
        (b'# vitprof-table: 1\n# {"x": 1e999}\n', "line 2"),
        (b'# vitprof-table: 1\n# {"x": ' + b"9" * 5000 + b"}\n", "line 2"),
        (b'# vitprof-table: 1\n# {"x": ' + b"[" * 100_000 + b"}\n", "line 2"),
        (b'# vitprof-table: 1\n# {"x": 1}\n', "setting"),
        (b'# vitprof-table: 1\n# {"setting": [1]}\n', "setting"),
        (b'# vitprof-table: 1\n# {"setting": {}}\n', "device"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, word: str, refuses: Refuses) -> None:
    refuses(content, word)


@pytest.mark.parametrize("name", ["environment", "protocol"])
@pytest.mark.parametrize("value", ["text", [1, 2], 5])
def test_a_header_part_that_is_no_object_is_refused(
    name: str, value: object, table_text: str, refuses: Refuses
) -> None:
    lines = table_text.split("\n")
    header = json.loads(lines[1][2:]) | {name: value}
    lines[1] = f"# {json.dumps(header)}"
    refuses("\n".join(lines), "line 2", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 0),
        ("batch", True),
        ("batch", 1.5),
        ("batch", "9" * 5000),
        ("batch", 10**400),
        ("threads", None),
        ("device", 3),
        ("dtype", ["fp32"]),
    ],
)
def test_a_wrong_value_in_the_setting_is_refused(
    name: str, value: object, table_text: str, setting: Setting, refuses: Refuses
) -> None:
    lines = table_text.split("\n")
    header = json.loads(lines[1][2:]) | {"setting": setting.as_dict() | {name: value}}
    lines[1] = f"# {json.dumps(header)}"
    refuses("\n".join(lines), "line 2", name)


@pytest.mark.parametrize(
    "text",
    [
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "-1.5",
        "0",
        "-0.0",
        "1e999",
        "1e-999",
        "fast",
        "1,5",
    ],
)
def test_a_latency_that_is_no_number_above_0_is_refused(
    text: str, edited: Edited, refuses: Refuses
) -> None:
    value = f'"{text}"' if "," in text else text
    refuses(edited(1, latency_ms=value), "line 5", "latency_ms", text)


@pytest.mark.parametrize("column", ["low_ms", "high_ms", "min_ms", "p10_ms", "p90_ms", "p99_ms"])
@pytest.mark.parametrize("text", ["nan", "-1", "0", "x"])
def test_other_times_are_checked_like_the_latency(
    column: str, text: str, edited: Edited, refuses: Refuses
) -> None:
    refuses(edited(0, **{column: text}), "line 4", column, text)


@pytest.mark.parametrize("column", ["samples", "set_aside", "macs", "embed"])
@pytest.mark.parametrize("text", ["-1", "1.5", "x", "9" * 5000, "²", "0x10"])
def test_a_count_that_is_no_whole_number_is_refused(
    column: str, text: str, edited: Edited, refuses: Refuses
) -> None:
    refuses(edited(0, **{column: text}), "line 4", column)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"op": "mlpp"}, ["mlpp", "did you mean 'mlp'"]),
        ({"op": ""}, ["unknown op"]),
        ({"embed": ""}, ["embed"]),
        ({"heads": "3"}, ["heads"]),
        ({"embed": "17"}, ["macs", "embed=17"]),
        ({"macs": "7"}, ["macs is 7"]),
        ({"embed": "0"}, ["embed"]),
        ({"tokens": "2000000"}, ["tokens"]),
        ({"batch": "8"}, ["batch", "'8'", "'1'"]),
        ({"device": "gpu"}, ["device", "gpu", "cpu"]),
        ({"dtype": "fp16"}, ["dtype"]),
        ({"context": "inside"}, ["context", "inside"]),
        ({"verdict": "good"}, ["verdict", "good"]),
        ({"verdict": "failed"}, ["failed", "latency"]),
        ({"latency_ms": ""}, ["latency_ms is empty"]),
        ({"latency_ms": "9.5"}, ["outside its interval"]),
        ({"session_ms": "1.2;zero"}, ["session_ms", "zero"]),
        ({"session_ms": "1.2;-3"}, ["session_ms", "-3"]),
        ({"op": "model", "model": ""}, ["spec"]),
        ({"op": "model", "model": "deit-tiny"}, ["spec"]),
        ({"op": "model", "model": "{}"}, ["family"]),
        ({"op": "model", "model": "{" + "[" * 100}, ["JSON"]),
        ({"error": '"open'}, ["line 4"]),
    ],
)
def test_a_changed_cell_is_refused_with_its_line(
    cells: dict[str, str], words: list[str], edited: Edited, refuses: Refuses
) -> None:
    refuses(edited(0, **cells), "line 4", *words)


def test_a_field_too_many_or_too_few_is_refused(table_text: str, refuses: Refuses) -> None:
    lines = table_text.split("\n")
    for wrong in (lines[4] + ",", lines[4].rpartition(",")[0], "mlp", ","):
        refuses("\n".join([*lines[:4], wrong, *lines[5:]]), "line 5", "fields")


@pytest.mark.parametrize("column", sorted({"op", "latency_ms", "batch", "verdict", "macs"}))
def test_a_missing_column_is_named(column: str, table_text: str, refuses: Refuses) -> None:
    lines = table_text.split("\n")
    lines[2] = lines[2].replace(column, "renamed", 1)
    refuses("\n".join(lines), "line 3", column)


def test_a_column_that_stands_twice_is_refused(table_text: str, refuses: Refuses) -> None:
    refuses(table_text.replace("samples,", "sessions,", 1), "line 3")
    lines = table_text.split("\n")
    lines[2] += ",embed"
    refuses("\n".join(lines), "line 3", "embed", "twice")


def test_a_repeated_row_is_refused(table_text: str, refuses: Refuses) -> None:
    lines = table_text.split("\n")
    refuses("\n".join([*lines[:5], lines[4], ""]), "appears twice", "embed=32")


def test_an_added_and_a_removed_row_are_refused(table_text: str, refuses: Refuses) -> None:
    lines = table_text.split("\n")
    refuses("\n".join([*lines[:5], ""]), "2 rows", "3")
    refuses("\n".join([*lines[:6], lines[5], ""]), "4 rows", "3")


def test_a_partial_row_in_a_finished_table_is_refused(edited: Edited, refuses: Refuses) -> None:
    refuses(edited(0, verdict="partial"), "partial")


def test_a_table_without_rows_is_refused(setting: Setting, refuses: Refuses) -> None:
    refuses(encode_header({"setting": setting.as_dict(), "state": "complete"}), "no rows")


def test_a_folder_and_a_missing_file_are_refused(
    tmp_path: Path, refused: Callable[..., object]
) -> None:
    with refused(str(tmp_path), "folder"):
        LatencyTable.read_csv(tmp_path)
    with refused("none.csv", "does not exist", "vitprof measure"):
        LatencyTable.read_csv(tmp_path / "none.csv")
    with refused("none.csv"):
        LatencyTable.read_csv(tmp_path / "no_folder" / "none.csv")


class Touches:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("protocol", [0, 4])
def test_a_pickle_is_not_loaded(
    protocol: int, tmp_path_factory: pytest.TempPathFactory, refuses: Refuses
) -> None:
    mark = tmp_path_factory.mktemp("mark") / "executed"
    data = pickle.dumps(Touches(mark), protocol=protocol)
    refuses(data)
    assert not mark.exists()
    pickle.loads(data)
    assert mark.exists(), "the pickle would have shown that it was loaded"


def test_the_model_column_never_opens_a_file(
    tmp_path: Path, setting: Setting, row_of: Callable[..., Row], refused: Callable[..., object]
) -> None:
    spec = ViTSpec.uniform(24, 1, 1, name="a")
    spec_file = tmp_path / "spec.json"
    spec_file.write_text(spec.to_json())
    row = encode_row(row_of(spec, 1.0), setting).rstrip("\n")
    columns = dict.fromkeys(COLUMNS, "")
    columns |= dict(zip(COLUMNS, next(csv.reader([row])), strict=True))
    table = tmp_path / "table.csv"
    header = encode_header({"setting": setting.as_dict(), "rows": 1})
    for model in (str(spec_file), f" {spec_file}", f"[{spec_file}"):
        line = ",".join((columns | {"model": model}).values())
        table.write_text(f"{header}{line}\n")
        with refused("line 4", "spec"):
            LatencyTable.read_csv(table)
    table.write_text(f"{header}{row}\n")
    assert LatencyTable.read_csv(table).rows[0].subject == spec


def test_a_header_with_half_of_a_sign_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.csv"
    text = encode_header({"device": "HALF"}).replace("HALF", "\\ud800")
    path.write_text(text)
    with pytest.raises(UserError, match="line 2"):
        LatencyTable.read_csv(path)
