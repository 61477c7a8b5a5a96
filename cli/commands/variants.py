"""`vitprof variants`: what each choice of an architecture costs on a table's device."""

from __future__ import annotations

from pathlib import Path

import click

from ..options.table_and_setting import at_option, check_picture, extrapolate_option, table_option
from ..output import json_option, note, print_json


@click.command(
    epilog="Example: vitprof variants --family efficientvit --table lut.csv --max-latency 5ms"
)
@click.option("--family", default="efficientvit", show_default=True, help="Family of the variants.")
@click.option("--model", help="The model to vary (default: efficientvit-m4).")
@table_option
@at_option
@click.option("--max-latency", help="Keep variants up to this latency, e.g. 5ms, 500us or 5 (ms).")
@click.option(
    "--choices",
    help="Combine only these choices, e.g. width,depth,activation (default: all that the table "
    "covers).",
)
@click.option(
    "--sort",
    default="latency",
    show_default=True,
    type=click.Choice(("latency", "macs", "params")),
    help="The fastest first, or those with most MACs or parameters.",
)
@click.option("--top", default=15, show_default=True, type=click.IntRange(1), help="Lines to show.")
@click.option("--out", type=click.Path(path_type=Path), help="Write every variant as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw what each choice costs.")
@extrapolate_option
@json_option
def variants(
    family: str,
    model: str | None,
    table_path: Path,
    at: str | None,
    max_latency: str | None,
    choices: str | None,
    sort: str,
    top: int,
    out: Path | None,
    plot: Path | None,
    extrapolate: bool,
    as_json: bool,
) -> int:
    """Rank a model's variants by predicted latency, and say what each choice costs.

    First every choice by itself, as an ablation table does; then every combination of the choices
    that the table covers.
    """
    from ...atomic_write import check_writable, write_atomically
    from ...verbs.variants import variants as rank_variants
    from ..reports.variants import print_variants

    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    found = rank_variants(
        model,
        table_path,
        at=at,
        family=family,
        max_latency=max_latency,
        choices=choices,
        sort=sort,
        extrapolate=extrapolate,
    )
    if out:
        write_atomically(out, found.to_csv())
    if plot:
        found.plot(plot)
    if as_json:
        print_json(found.report(top))
    else:
        print_variants(found, top, max_latency, sort)
        for path in filter(None, (out, plot)):
            note(f"written: {path}")
    return 0
