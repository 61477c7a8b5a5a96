"""A table's card in Markdown: what was measured, how, and how far to trust it; from its header."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..overview import op_lines, verdicts
from ..table import LatencyTable
from .plain_text import markdown, printable

# More values of an axis are shown as their range.
MOST_LEVELS = 8
# Entries of a machine's and a runtime's description; a file may hold any number.
MOST_ENTRIES = 24


def card_of(table: LatencyTable, name: str) -> str:
    """Return the card of a table that is shared under a name."""
    made = "imported" if table.header.imported else "measured"
    what = f"Latencies of {markdown(machine_of(table))}, {made} by vitprof."
    lines = [f"# {name}", "", what, ""]
    lines += _facts("what", _setting(table))
    lines += ["## How far to trust it", "", *_trust(table), ""]
    lines += ["## What it covers", "", *_coverage(table), ""]
    machine = {**_mapping(table.environment, "machine"), **_scalars(table.header.observed or {})}
    lines += _section("Machine", machine)
    lines += _section("Runtime", _mapping(table.environment, "runtime"))
    lines += _section("Protocol", _scalars(table.protocol))
    lines += _section("Sampling", _mapping(table.protocol, "sampling"))
    for origin in table.header.imported:
        lines += _section("Imported", _scalars(origin))
    lines += _section("Transferred", _scalars(table.header.transfer or {}))
    lines += ["## Use it", "", "```", f"vitprof table info {name}.csv"]
    if not table.header.imported:
        lines.append(f"vitprof predict --table {name}.csv --model NAME")
    lines += ["```", ""]
    return "\n".join(lines)


def machine_of(table: LatencyTable) -> str:
    """Return the name of what was measured: the processor's, or else the device's."""
    machine = _mapping(table.environment, "machine")
    named = machine.get("gpu") if table.setting.device not in ("cpu", "") else machine.get("cpu")
    device = table.setting.device
    return f"{device} ({named})" if isinstance(named, str) and named else device


def trust_in_words(table: LatencyTable) -> str:
    """Return in a few words how far predictions are expected to err."""
    assessment = table.assessment
    if table.header.imported:
        tools = dict.fromkeys(printable(one.get("tool", "?"), 40) for one in table.header.imported)
        return f"unknown: imported from {', '.join(tools)}"
    error = assessment.expected_error
    if math.isnan(error):
        return "unknown"
    of = "whole models" if assessment.by_family else "blocks"
    transferred = f", {assessment.transferred} rows transferred" if assessment.transferred else ""
    return f"{assessment.verdict}: {of} err by {error:.1%}{transferred}"


def _setting(table: LatencyTable) -> dict[str, object]:
    setting = table.setting
    days = sorted(row.measured_at[:10] for row in table.rows if row.measured_at)
    when = "" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    return {
        "device": setting.device,
        "backend": f"{setting.backend} {setting.provider}".strip(),
        "dtype": setting.dtype,
        "batch": setting.batch,
        "threads": setting.threads,
        **({"sparsity": setting.sparsity} if setting.sparsity != "dense" else {}),
        **({"cache": setting.cache} if setting.cache != "warm" else {}),
        **({"graph": setting.graph} if setting.graph != "none" else {}),
        **({"speed": table.stated_at} if table.stated_at else {}),
        **({"measured": when} if when else {}),
        **({"vitprof": table.header.vitprof} if table.header.vitprof else {}),
        "licence": table.header.licence or "not stated",
    }


def _trust(table: LatencyTable) -> Iterator[str]:
    assessment = table.assessment
    yield f"- {markdown(trust_in_words(table), 300)}"
    for family, error in assessment.by_family.items():
        yield f"- whole {markdown(family)} models, held out: {error:.2%}"
    if table.header.imported:
        yield "- another tool measured it: no sessions and no intervals are known"
        for origin in table.header.imported:
            unit, who = origin.get("unit", "?"), origin.get("unit_from", "not said")
            yield f"- unit of the file: {markdown(unit)} ({markdown(who)})"
    elif assessment.session_sd is not None:
        yield (
            f"- noise: two sessions of one point differ by {assessment.session_sd:.1%} "
            "(standard deviation)"
        )
    else:
        yield "- noise: not seen, too few points had several sessions"
    counts = ", ".join(f"{count} {name}" for name, count in verdicts(table).items())
    yield f"- rows: {counts or 'none'}"


def _coverage(table: LatencyTable) -> Iterator[str]:
    yield "| op | points | axes | ms |"
    yield "|---|---|---|---|"
    for line in op_lines(table):
        axes = "; ".join(f"{axis} {_levels(values)}" for axis, values in line.axes.items())
        failed = math.isnan(line.least_ms)
        ms = "failed" if failed else f"{line.least_ms:.3g} to {line.most_ms:.3g}"
        yield f"| {markdown(line.op)} | {line.points} | {markdown(axes, 2000)} | {ms} |"
    models = len(table.model_rows)
    yield ""
    yield f"{models or 'No'} whole model{'' if models == 1 else 's'} measured beside the blocks."


def _levels(values: list[int]) -> str:
    if len(values) <= MOST_LEVELS:
        return ", ".join(map(str, values))
    return f"{values[0]} to {values[-1]} ({len(values)} values)"


def _section(title: str, facts: Mapping[str, object]) -> list[str]:
    return [f"## {title}", "", *_facts("what", facts)] if facts else []


def _facts(title: str, facts: Mapping[str, object]) -> list[str]:
    rows = [f"| {markdown(name, 60)} | {markdown(value)} |" for name, value in facts.items()]
    return [f"| {title} | |", "|---|---|", *rows, ""]


def _scalars(values: Mapping[str, Any]) -> dict[str, object]:
    """Return the entries that are text, numbers or flags: the first ones, where there are many."""
    kept = [
        (name, value)
        for name, value in values.items()
        if isinstance(value, (str, int, float)) and value != ""
    ]
    return dict(kept[:MOST_ENTRIES])


def _mapping(values: Mapping[str, Any], name: str) -> dict[str, object]:
    inner = values.get(name)
    return _scalars(inner) if isinstance(inner, Mapping) else {}
