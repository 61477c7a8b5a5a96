"""`vitprof variants`: what each choice of an architecture costs on a table's device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UserError
from ..options.completed import complete_model
from ..options.renamed import RenamedOption
from ..options.table_and_setting import (
    at_option,
    check_picture,
    extrapolate_option,
    given_options,
    table_option,
)
from ..options.waiting import wait_option
from ..output import json_option, note, print_json

if TYPE_CHECKING:
    from ...tables.saved import LinesResult

# What --published has no use for: it ranks no combinations.
_OF_COMBINATIONS = ("model", "max_latency", "choices", "sort", "top")


@click.command(
    epilog="Example: vitprof variants --family efficientvit --table lut.csv --max-latency 5ms"
)
@click.option("--family", help="Family of the variants (default: the model's, or efficientvit).")
@click.option(
    "--model",
    shell_complete=complete_model,
    help="The model to vary (default: efficientvit-m4).",
)
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
@click.option(
    "--published",
    is_flag=True,
    help="Instead: the rows of the ablation table in the family's paper, with the paper's "
    "throughput and accuracy.",
)
@click.option(
    "--verify",
    "measure",
    cls=RenamedOption,
    old=["--measure"],
    is_flag=True,
    help="With --published: also measure the rows on this machine.",
)
@click.option("--time", help="With --verify: start no further session after this time, e.g. 5m.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write every variant as CSV; .md or .tex: what each choice costs, as the papers have it.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw what each choice costs.")
@extrapolate_option
@wait_option
@json_option
def variants(
    family: str | None,
    model: str | None,
    table_path: Path,
    at: str | None,
    max_latency: str | None,
    choices: str | None,
    sort: str,
    top: int,
    published: bool,
    measure: bool,
    time: str | None,
    out: Path | None,
    plot: Path | None,
    extrapolate: bool,
    as_json: bool,
) -> int:
    """Rank a model's variants by predicted latency, and show what each choice costs.

    First each choice alone, as in an ablation table; then every combination of choices that the
    table covers.
    """
    from ...atomic_write import check_writable
    from ...verbs.variants import variants as rank_variants
    from ..reports.variants import print_variants

    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    if published:
        _refuse_beside("--published", _OF_COMBINATIONS)
        return _published(table_path, family, at, measure, time, extrapolate, out, plot, as_json)
    _refuse_without("--published", ("measure", "time"))
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
    _write(found, out, plot)
    if as_json:
        print_json(found.report(top))
    else:
        print_variants(found, top, max_latency, sort)
        _note_written(out, plot)
    return 0


def _published(
    table_path: Path,
    family: str | None,
    at: str | None,
    measure: bool,
    time: str | None,
    extrapolate: bool,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    from ...verbs.published_variants import published_variants
    from ..reports.published_variants import print_published

    found = published_variants(
        table_path,
        family=family or "efficientvit",
        at=at,
        measure=measure,
        time=time,
        extrapolate=extrapolate,
        progress=not as_json,
    )
    _write(found, out, plot)
    if as_json:
        print_json(found.report())
    else:
        print_published(found)
        _note_written(out, plot)
    return int(found.is_doubtful)


def _write(found: LinesResult, out: Path | None, plot: Path | None) -> None:
    from ...atomic_write import write_atomically
    from ...verbs.paper_tables.of_report import table_of_report
    from ...verbs.paper_tables.paper_table import SUFFIXES

    if out and SUFFIXES.get(out.suffix, "csv") != "csv":
        write_atomically(out, table_of_report(found.report()).written(SUFFIXES[out.suffix]))
    elif out:
        write_atomically(out, found.to_csv())
    if plot:
        found.plot(plot)


def _note_written(*paths: Path | None) -> None:
    for path in filter(None, paths):
        note(f"written: {path}")


def _refuse_beside(option: str, names: Sequence[str]) -> None:
    for name in given_options(names):
        raise UserError(f"{name} ranks combinations, and {option} has none; remove one.")


def _refuse_without(option: str, names: Sequence[str]) -> None:
    for name in given_options(names):
        raise UserError(f"{name} goes with {option}; add it.")
