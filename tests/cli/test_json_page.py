"""docs/json.md lists the keys that commands print, and no others."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from vitprof.tables import LatencyTable

PAGE = Path(__file__).parents[2] / "docs" / "json.md"


def listed(command: str) -> set[str]:
    """Return every key that the page lists for a command, nested ones included."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if len(cells) == 2 and cells[0] == f"`{command}`":
            return set(re.findall(r"`([a-z_0-9]+)`", cells[1]))
    raise AssertionError(f"the page has no line of {command}")


def keys_of(value: object) -> set[str]:
    """Return the keys at every depth."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


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
def test_a_command_prints_what_the_page_lists(command, arguments, run, lut) -> None:
    slow_attention(lut)
    answer = run(*(lut if word == "LUT" else word for word in arguments), "--json")
    assert answer.code in (0, 1), answer.err
    known = listed(command)
    if command != "table info":  # which has the header's keys too, as the page says
        assert set(answer.json) <= known
    assert known <= keys_of(answer.json)


def test_the_page_names_every_command_that_prints_json(run) -> None:
    from vitprof.cli.command_list import COMMANDS

    text = PAGE.read_text(encoding="utf-8")
    for command in COMMANDS:
        if "--json" in run(command, "--help").out:
            assert f"`{command}" in text, command
