"""How commands print: one JSON object, or a table for people. Notes and progress go to stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..notes import note
from ..results import plain

if TYPE_CHECKING:
    from rich.console import Console

    from ..tables import Row

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else."
)


def print_json(values: dict[str, Any]) -> None:
    """Print one object; a NaN, which JSON lacks, becomes null."""
    click.echo(json.dumps(plain(values), indent=2, ensure_ascii=False, allow_nan=False))


def note_failed(failed: Sequence[Row], most: int = 5) -> None:
    """Tell which points failed, and why: some of them, then a count."""
    for row in failed[:most]:
        note(f"failed: {row.name}: {row.error}")
    if len(failed) > most:
        note(f"... and {len(failed) - most} more points failed; vitprof table export lists all.")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print aligned columns; the first is text, the others are numbers."""
    from rich import box
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console().print(table)


def console(stderr: bool = False) -> Console:
    """Return a console that does not cut columns where the output is no terminal."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = 200
    return made


def milliseconds(value: float) -> str:
    """Return a latency with about four significant digits."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def giga(value: float) -> str:
    """Return a count in units of 10^9."""
    return f"{value / 1e9:.3g}"


def mebibytes(value: float | None) -> str:
    """Return bytes in units of 2^20, "-" where they are unknown."""
    return "-" if value is None else f"{value / 2**20:.1f}"
