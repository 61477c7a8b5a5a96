"""The JSON Schemas that are shipped: valid themselves, whole, and of every command that has --json.

That what commands print keeps to them is checked wherever a test runs a command with --json.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import click
import pytest
import vitprof
from json_schemas.printed import check, check_printed
from jsonschema import Draft202012Validator
from vitprof.cli.command_list import COMMANDS
from vitprof.cli.main import vitprof as commands
from vitprof.models import create_spec
from vitprof.tables import LatencyTable
from vitprof.tables.csv_format import COLUMNS
from vitprof.tables.header import TableHeader
from vitprof.tables.references import Drift, Readings, References, UndisturbedFrom
from vitprof.tables.speed_histogram import SpeedHistogram
from vitprof.verbs.schema import schema, schema_names


def with_json() -> list[str]:
    """Return every command, and command of a group, that has --json."""
    found = []
    for name in COMMANDS:
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        parts = command.commands if isinstance(command, click.Group) else {"": command}
        for part, each in parts.items():
            if any("--json" in option.opts for option in each.params):
                found.append(f"{name}-{part}".rstrip("-"))
    return found


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_valid_and_refers_to_itself_alone(name: str) -> None:
    made = schema(name)
    Draft202012Validator.check_schema(made)
    assert made["title"]
    text = json.dumps(made)
    assert ".json" not in text.replace("load.py", "")
    for part in made.get("$defs", {}):
        assert f'"#/$defs/{part}"' in text
    # What it refers to is there: a validator resolves every reference as it goes through a value.
    assert list(Draft202012Validator(made).iter_errors(3))


def test_every_command_with_json_has_a_schema() -> None:
    assert len(with_json()) > 30
    assert [name for name in with_json() if name not in schema_names()] == []


def test_a_key_that_is_new_gone_or_of_another_type_is_found() -> None:
    setting = {"device": "cpu", "backend": "onnxruntime", "provider": "", "batch": 1}
    setting |= {
        "dtype": "fp32",
        "threads": 1,
        "sparsity": "dense",
        "cache": "warm",
        "graph": "none",
    }
    said = {"gmacs_per_s": 50.0, "gbytes_per_s": 10.0, "gmacs_difference": 0.01}
    said |= {
        "gbytes_difference": 0.01,
        "slowdown": None,
        "runtime": "ONNX Runtime",
        "setting": setting,
    }
    check_printed(["ceilings", "--json"], 0, json.dumps(said))
    for wrong, word in (
        (said | {"new": 1}, "new"),
        ({key: value for key, value in said.items() if key != "runtime"}, "runtime"),
        (said | {"gmacs_per_s": "fast"}, "fast"),
        (said | {"setting": setting | {"new": 1}}, "new"),
    ):
        with pytest.raises(AssertionError, match=word):
            check_printed(["--debug", "ceilings", "--json"], 0, json.dumps(wrong))


def test_an_unknown_name_is_refused() -> None:
    assert vitprof.schema("predict") == schema("predict")
    with pytest.raises(vitprof.UserError) as caught:
        schema("predikt")
    assert "did you mean predict?" in str(caught.value)
    with pytest.raises(vitprof.UserError, match="vitprof schema lists"):
        schema("../../secret")


def header_and_rows(path: Path) -> tuple[dict, list[dict[str, str]]]:
    first, second, *rest = path.read_text().splitlines()
    assert first == "# vitprof-table: 1"
    return json.loads(second.removeprefix("# ")), list(csv.DictReader(rest))


def test_a_table_keeps_to_the_schemas_of_its_file(
    tmp_path, row_of, failed_row, mlp, setting
) -> None:
    block, model = mlp(), create_spec("vit-micro-8")
    drift = Drift(12.0, 10.2, 14.0, undisturbed_ms=10.0)
    histogram = SpeedHistogram.of([10.0, 10.1, 12.0, 14.0])
    shown = Readings(drift, 0.01, histogram, UndisturbedFrom(9.5, 10.0, 3), True)
    header = TableHeader(
        setting,
        environment={"cpu": "a CPU"},
        protocol={"warmup": 5},
        observed={"tile": 16},
        vitprof="0.2.0",
        references=References(block, model),
        readings={block: shown, model: shown},
        seconds={"total": 12.5},
        stated_at="undisturbed",
        licence="MIT",
    )
    rows = [
        replace(row_of(mlp(mlp=n), 0.1 * n), reference=block, reference_ms=(12.0,) * 3, cores=1.01)
        for n in (16, 32, 48)
    ]
    rows += [failed_row(mlp(mlp=64)), replace(row_of(model, 2.0), reference=model)]
    path = tmp_path / "lut.csv"
    LatencyTable(rows, header).to_csv(path)
    said, lines = header_and_rows(path)
    check("table-header", said)
    assert len(lines) == len(rows)
    for line in lines:
        check("table-row", line)
    for wrong in ({"latency_ms": "fast"}, {"verdict": "perfect"}, {"embed": "16.5"}):
        with pytest.raises(AssertionError):
            check("table-row", lines[0] | wrong)
    described = set(schema("table-row")["properties"])
    axes = set(COLUMNS) - described
    assert axes == {column for column in COLUMNS if column in vitprof_axes()}


def vitprof_axes() -> set[str]:
    from vitprof.models import AXES

    return set(AXES)
