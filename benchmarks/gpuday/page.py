"""The report: what each part found or why it found nothing, as markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .findings import Findings
from .outcome import Outcome
from .part import Part


def page(
    title: str, measured: str, parts: Sequence[Part], outcomes: Mapping[str, Outcome], day: Path
) -> str:
    """Return the report; `measured` says when, on what and by which command."""
    found = {part.name: Findings.read(part.folder(day) / "findings.json") for part in parts}
    facts = [fact for one in found.values() for fact in one.facts.items()]
    lines = [f"# {title}", "", measured, ""]
    if facts:
        lines += [_table(("what", "which"), facts), ""]
    summary = [_in_short(part, outcomes.get(part.name)) for part in parts]
    lines += [_table(("part", "outcome", "seconds", "why"), summary)]
    for part in parts:
        lines += ["", *_section(part, outcomes.get(part.name), found[part.name])]
    return "\n".join(lines) + "\n"


def _in_short(part: Part, outcome: Outcome | None) -> tuple[str, ...]:
    if outcome is None:
        return (part.title, "not run yet", "", "")
    seconds = f"{outcome.seconds:.0f}" if outcome.state != "skipped" else ""
    return (part.title, outcome.state, seconds, outcome.why)


def _section(part: Part, outcome: Outcome | None, found: Findings) -> list[str]:
    lines = [f"## {part.title}"]
    for sentence in found.sentences:
        lines += ["", sentence]
    for one in found.tables:
        lines += ["", f"{one['title']}:", "", _table(one["columns"], one["rows"])]
    if outcome is None:
        return [*lines, "", "Not run yet."]
    if outcome.is_bad:
        kept = "" if not found.tables else " What it had found by then stands above."
        lines += ["", f"**{outcome.state.capitalize()}**: {outcome.why.rstrip('.')}.{kept}"]
    if outcome.stack:
        lines += ["", "```", outcome.stack, "```"]
    return lines


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
