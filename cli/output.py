"""How commands print: one JSON object, or a table for people. Notes and progress go to stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..notes import note
from ..results import plain
from ..shown import lines, one_line

if TYPE_CHECKING:
    from rich.table import Table

    from ..tables import Row
    from .table_layout import Part

_WIDE = "vitprof.wide"

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """Add --json, and --wide, which says how the table is printed otherwise."""
    return _json(_wide(function))


_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else."
)


def _remember_wide(context: click.Context, _: click.Parameter, wide: bool) -> None:
    if wide:
        context.find_root().meta[_WIDE] = True


_wide = click.option(
    "--wide",
    is_flag=True,
    expose_value=False,
    callback=_remember_wide,
    help="Print each row of a table in one line, even in a narrow terminal.",
)


def print_json(values: dict[str, Any]) -> None:
    """Print one object; a NaN, which JSON lacks, becomes null."""
    text = json.dumps(plain(values), indent=2, ensure_ascii=False, allow_nan=False)
    # The letters of all languages as they are, and nothing that moves a cursor: JSON's own escapes.
    click.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def say(text: str) -> None:
    """Print one line; what a name or a value from outside holds besides letters is escaped."""
    click.echo(one_line(text))


def say_lines(text: str) -> None:
    """Print lines that vitprof itself laid out, each of them as `say` does."""
    click.echo(lines(text))


def print_text(text: str) -> None:
    """Print the content of a file: as it is into a pipe or a file, escaped on a terminal."""
    click.echo(lines(text) if sys.stdout.isatty() else text, nl=False)


def note_failed(failed: Sequence[Row], most: int = 5) -> None:
    """Tell which points failed, and why: some of them, then a count."""
    for row in failed[:most]:
        note(f"failed: {row.name}: {row.error}")
    if len(failed) > most:
        note(f"... and {len(failed) - most} more points failed; vitprof table export lists all.")


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str = "",
    text: Collection[str] = (),
) -> None:
    """Print aligned columns: to the left the first and those named in `text`, numbers to the right.

    In a terminal, text folds and columns go below where there is no room; a pipe and a log get full
    lines, as --wide does. No number is cut.
    """
    from rich.console import Console

    from .table_layout import lay_out

    # Without colours headings are not bold either: a log or a diff then holds the text alone.
    console = Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
    context = click.get_current_context(silent=True)
    wide = context is not None and context.find_root().meta.get(_WIDE, False)
    width = console.width if console.is_terminal and not wide else None
    cells = [[one_line(cell) for cell in row] for row in rows]
    for part in lay_out([lines(column) for column in columns], cells, width):
        console.width = max(console.width, part.width)
        console.print(_drawn(part, title, text))
        title = ""


def _drawn(part: Part, title: str, text: Collection[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    deepest = max(column.count("\n") for column in part.columns)
    for place, column in enumerate(part.columns):
        left = place == 0 or place in part.folded or " ".join(column.split()) in text
        low = "\n" * (deepest - column.count("\n")) + column  # headings stand on the ruler
        table.add_column(Text(low), justify="left" if left else "right", no_wrap=True)
    for row in part.rows:
        table.add_row(*map(Text, row))  # as text: a name may hold what rich takes for markup
    return table


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
