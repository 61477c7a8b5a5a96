"""docs/json.md lists the keys of the schemas, which are those that commands print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from json_schemas.page import BEGIN, PAGE, rendered
from vitprof.tables import LatencyTable

TIMES = ("latency_ms", "low_ms", "high_ms", "min_ms", "p10_ms", "p90_ms", "p99_ms")


def slow_attention(path: Path) -> None:
    """Make attention three times as slow, so that MACs order some models wrongly."""
    table = LatencyTable.read_csv(path)
    rows = [
        replace(
            row,
            session_ms=tuple(3 * ms for ms in row.session_ms),
            **{name: 3 * getattr(row, name) for name in TIMES},
        )
        if "attention" in row.name
        else row
        for row in table.rows
    ]
    LatencyTable(rows, table.header).to_csv(path)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("predict", ("predict", "LUT", "deit-small")),
        ("compare", ("compare", "--table", "LUT", "--samples", "30")),
        ("devices", ("devices",)),
        ("models", ("models", "--search", "patch32_siglip")),
        ("space", ("space", "autovit-xxs")),
        ("doctor", ("doctor", "--quick")),
        ("table info", ("table", "info", "LUT", "--unstable")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_command_prints_keeps_to_its_schema(command, arguments, run, lut) -> None:
    slow_attention(lut)
    answer = run(*(lut if word == "LUT" else word for word in arguments), "--json")
    assert answer.code in (0, 1), answer.err
    assert answer.json  # `run` holds it against the schema


def test_the_page_lists_the_keys_of_every_schema() -> None:
    written = PAGE.read_text(encoding="utf-8")
    # Else: python tests/json_schemas/page.py
    assert BEGIN + written.partition(BEGIN)[2] == rendered()


def test_the_page_names_every_command_that_prints_json(run) -> None:
    from vitprof.cli.command_list import COMMANDS

    text = PAGE.read_text(encoding="utf-8")
    for command in COMMANDS:
        if "--json" in run(command, "--help").out:
            assert f"`{command}" in text, command
