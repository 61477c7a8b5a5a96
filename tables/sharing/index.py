"""The index of a folder of tables: a part of its README.md, between two marks."""

from __future__ import annotations

from collections.abc import Sequence

from ..table import LatencyTable
from .card import machine_of, trust_in_words
from .plain_text import markdown

BEGIN = "<!-- vitprof tables: written by vitprof table push, between these marks -->"
END = "<!-- end of vitprof tables -->"
TITLE = "# Latency tables\n\nMeasured by vitprof; `vitprof table pull` reads them.\n\n"


def with_index(before: str, tables: Sequence[tuple[str, LatencyTable]]) -> str:
    """Return the README with these tables listed; what stands outside the marks stays."""
    block = "\n".join([BEGIN, "", *_lines(tables), "", END]) + "\n"
    start, end = before.find(BEGIN), before.find(END)
    if 0 <= start < end:
        return before[:start] + block + before[end + len(END) :].removeprefix("\n")
    head = before or TITLE
    return head.rstrip("\n") + "\n\n" + block


def _lines(tables: Sequence[tuple[str, LatencyTable]]) -> list[str]:
    lines = [
        "| table | machine | backend | dtype | batch | threads | rows | trust | licence |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, table in tables:
        setting = table.setting
        cells = [
            f"[{name}](tables/{name}.md)",
            markdown(machine_of(table)),
            markdown(f"{setting.backend} {setting.provider}".strip()),
            markdown(setting.dtype),
            str(setting.batch),
            str(setting.threads),
            str(len(table.rows)),
            markdown(trust_in_words(table), 300),
            markdown(table.header.licence or "not stated"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
