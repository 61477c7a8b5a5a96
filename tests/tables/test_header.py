"""What a header says is read, kept and written back; what it cannot mean is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import Block, create_spec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader
from vitprof.tables.references import Drift, Readings, References

MLP = Block.of("mlp", embed=8, mlp=48, tokens=2)
WIDE = Block.of("mlp", embed=8, mlp=96, tokens=2)
M0 = create_spec("efficientvit-m0")
DRIFT = {"typical_ms": 2.0, "p10_ms": 1.0, "p90_ms": 3.0}


def as_read(said: dict[str, Any], setting: Setting) -> TableHeader:
    return TableHeader.from_dict({"setting": setting.as_dict(), **said}, "lut.csv, line 2")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"environment": {}, "protocol": {}},
        {"session_sd": 0.01},
        {"reference": None, "drift": None, "session_sd": 0.02},
        {"vitprof": "9", "reference": MLP.as_dict_with_op()},
        {
            "reference": MLP.as_dict_with_op(),
            "drift": DRIFT,
            "session_sd": 0.01,
            "seconds": {"total": 3.5},
            "built": {"version": "1"},
            "search_space": {"family": "x"},
        },
        {
            "reference": MLP.as_dict_with_op(),
            "model_reference": M0.to_dict(),
            "drift": DRIFT,
            "session_sd": 0.01,
            "model_drift": None,
            "model_session_sd": 0.03,
        },
        {"fleet": [{"node": "a", "sessions": 3, "reference_ms": None}], "observed": {"os": "x"}},
        {"imported": {"tool": "NViT", "file": "x.json"}},
        {"imported": [{"tool": "NViT"}, {"tool": "NViT", "file": "y"}]},
        {"transfer": {"expected_error": 0.02, "whole_sd": 0.03, "sources": [{"table": "a.csv"}]}},
        {"newer": None, "observed": {}, "references_to_come": [1, {"a": 2}]},
    ],
    ids=lambda said: ",".join(said) or "nothing",
)
def test_what_a_file_says_is_written_back_in_its_order(
    said: dict[str, Any], setting: Setting
) -> None:
    whole = {"setting": setting.as_dict(), "environment": {}, "protocol": {}} | said
    written = as_read(said, setting).as_dict()
    assert json.dumps(written) == json.dumps(whole)


WRONG: dict[str, list[Any]] = {
    "environment": [None, [], "x"],
    "protocol": [None, 1],
    "observed": [None, "x", []],
    "vitprof": [None, 1, {}],
    "reference": ["mlp", 5, [], {"embed": 3}, {"op": 5}, {"op": "mlp"}, {"family": "vit"}],
    "model_reference": ["mlp", {"op": ["mlp"]}, {"op": "mpl"}],
    "references": [None, {}, ["mlp"], [{"reference": "mlp"}], [{"drift": 5}]],
    "drift": [5, [], {}, {"typical_ms": 1.0}, DRIFT | {"p10_ms": "1"}, DRIFT | {"p90_ms": 0}],
    "session_sd": [-0.1, "0.1", True, [], 10**400],
    "model_drift": [{}, "x"],
    "model_session_sd": [-1, "x"],
    "seconds": [None, 5, {"total": "3"}, {"total": -1}],
    "built": [None, "x"],
    "search_space": [None, "x", []],
    "fleet": [None, {}, ["a"]],
    "imported": [None, "x", ["x"]],
    "transfer": [None, "x", {}, {"expected_error": 0.1}, {"expected_error": 1, "whole_sd": -1}],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_an_ill_typed_entry_is_one_sentence(
    name: str, value: object, setting: Setting, refused: Callable[..., Any]
) -> None:
    said: dict[str, Any] = {name: value}
    if name.startswith("model_") and name != "model_reference":
        said = {"model_reference": M0.to_dict(), **said}
    with refused("line 2", "header", name.removeprefix("model_")):
        as_read(said, setting)


def test_a_header_without_setting_is_damaged(refused: Callable[..., Any]) -> None:
    with refused("line 2", "lacks its 'setting'"):
        TableHeader.from_dict({"environment": {}}, "lut.csv, line 2")


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=5)
JSON = st.recursive(
    st.sampled_from([None, True, MLP.as_dict_with_op(), DRIFT]) | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(said=st.dictionaries(st.sampled_from([*WRONG, "newer", "rows"]), JSON, max_size=5))
def test_any_json_is_read_and_kept_or_refused(said: dict[str, Any]) -> None:
    setting = Setting("cpu", "toy")
    try:
        header = as_read(said, setting)
    except UserError as error:
        assert "\n" not in str(error)
        return
    written = header.as_dict()
    assert TableHeader.from_dict(written, "again").as_dict() == written
    assert written.get("newer") == said.get("newer")


@pytest.fixture
def several(setting: Setting, row_of: Callable[..., Row]) -> LatencyTable:
    """A table whose whole models have two references, and its blocks two as well."""
    rows = [
        replace(row_of(MLP, 1.0), reference=MLP),
        replace(row_of(WIDE, 2.0), reference=WIDE),
        replace(row_of(create_spec("deit-tiny"), 5.0, context="in_model"), reference=MLP),
        replace(row_of(M0, 3.0, context="in_model"), reference=M0),
    ]
    readings = {
        MLP: Readings(Drift(2.0, 1.0, 3.0), 0.01),
        WIDE: Readings(Drift(4.0, 3.0, 5.0), 0.02),
        M0: Readings(Drift(6.0, 5.0, 7.0), 0.03),
    }
    header = TableHeader(setting, references=References(MLP, MLP), readings=readings)
    return LatencyTable(rows, header)


def test_every_row_of_several_families_keeps_its_reference(
    several: LatencyTable, tmp_path: Path
) -> None:
    several.to_csv(tmp_path / "lut.csv")
    read = LatencyTable.read_csv(tmp_path / "lut.csv")
    assert [row.key for row in read.rows] == [row.key for row in several.rows]
    assert [row.reference for row in read.rows] == [MLP, WIDE, MLP, M0]
    assert read.header == several.header
    assert read.header.reference_ms() == {MLP: 2.0, WIDE: 4.0, M0: 6.0}
    assert read.references.models_of("vit") == MLP
    assert read.references.models_of("efficientvit") == M0
    assert read.to_text() == several.to_text()


def test_a_table_of_one_family_is_written_as_ever(
    setting: Setting, row_of: Callable[..., Row]
) -> None:
    rows = [
        replace(row_of(MLP, 1.0), reference=MLP),
        replace(row_of(M0, 3.0, context="in_model"), reference=M0),
    ]
    header = TableHeader(setting, references=References(MLP, M0))
    said, columns, *_ = (line for line in LatencyTable(rows, header).to_text().splitlines()[1:])
    assert "references" not in json.loads(said[2:])
    assert "reference" not in columns.split(",")


@pytest.mark.parametrize("number", ["0", "4", "-1", "x", "1.0", "9" * 30])
def test_a_row_with_a_reference_that_is_not_listed_is_refused(
    number: str, several: LatencyTable, tmp_path: Path, refused: Callable[..., Any]
) -> None:
    path = tmp_path / "lut.csv"
    lines = several.to_text().splitlines()
    lines[3] = lines[3].removesuffix("1") + number
    path.write_text("\n".join(lines) + "\n")
    with refused("line 4", "reference"):
        LatencyTable.read_csv(path)


def test_a_licence_is_kept_and_is_a_text(setting: Setting, tmp_path: Path) -> None:
    row = Row(MLP, latency_ms=1.0, low_ms=0.9, high_ms=1.1)
    table = LatencyTable([row], setting).with_licence("CC-BY-4.0")
    table.to_csv(tmp_path / "lut.csv")
    again = LatencyTable.read_csv(tmp_path / "lut.csv")
    assert again.header.licence == "CC-BY-4.0"
    assert again.header.unknown == {}
    text = (tmp_path / "lut.csv").read_text().replace('"CC-BY-4.0"', "4")
    (tmp_path / "lut.csv").write_text(text)
    with pytest.raises(UserError, match=r"line 2: the header's 'licence' is 4, not a text"):
        LatencyTable.read_csv(tmp_path / "lut.csv")
