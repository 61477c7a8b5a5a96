"""Tables that were shared, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import note, print_table, say

if TYPE_CHECKING:
    from ...verbs.share_tables import PulledTables, PushedTable

_COLUMNS = ("name", "machine", "backend", "dtype", "batch", "threads", "rows", "trust", "licence")


def print_pushed(pushed: PushedTable) -> None:
    """Print where the table is, and which files were written."""
    say(f"{pushed.name}: {pushed.rows} rows, {pushed.trust}")
    if not pushed.files:
        say(f"{pushed.to} has this very table already; nothing was written.")
    for file in pushed.files:
        say(f"written: {pushed.to}/{file}")
    if pushed.address:
        say(f"commit: {pushed.address}")


def note_refused(pulled: PulledTables) -> None:
    """Tell which files are not tables, and why."""
    for why in pulled.refused.values():
        note(f"refused: {why}")


def print_pulled(pulled: PulledTables) -> None:
    """Print a line a table, and which files were written."""
    tables = pulled.report()["tables"]
    lines = [tuple(str(line[name] or "-") for name in _COLUMNS) for line in tables]
    if lines:
        print_table(_COLUMNS, lines)
    for file in pulled.files:
        note(f"written: {file}")
