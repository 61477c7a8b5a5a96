"""`vitprof report`: tables and runs as one page."""

from __future__ import annotations

from pathlib import Path

import click

from ..options.table_and_setting import at_option, check_writable
from ..options.waiting import wait_option
from ..output import json_option, note, print_json

_EXISTING = click.Path(path_type=Path)


@click.command(
    epilog="Example: vitprof report --table lut.csv --run pruned/ --ceilings measure "
    "--out report.html"
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    default=("lut.csv",),
    show_default=True,
    type=_EXISTING,
    help="A table that vitprof measure wrote; may be repeated.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=_EXISTING,
    help="A folder that train, prune, search or choose wrote; may be repeated.",
)
@click.option(
    "--breakdown",
    "breakdowns",
    multiple=True,
    type=_EXISTING,
    help="A file with the output of vitprof breakdown --nodes --json; may be repeated.",
)
@click.option(
    "--validation",
    "validations",
    multiple=True,
    type=_EXISTING,
    help="A file that vitprof validate --out wrote; may be repeated.",
)
@click.option(
    "--ceilings",
    metavar="measure|FILE",
    help="Draw the roofline under measured ceilings of the device: measured now, on the table's "
    "own device, or from a file that vitprof ceilings wrote.",
)
@at_option
@click.option(
    "--out",
    default="report.html",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The page.",
)
@wait_option
@json_option
def report(
    tables: tuple[Path, ...],
    runs: tuple[Path, ...],
    breakdowns: tuple[Path, ...],
    validations: tuple[Path, ...],
    ceilings: str | None,
    at: str | None,
    out: Path,
    as_json: bool,
) -> int:
    """Make one HTML file of tables and runs, with a calculator; it needs no network.

    It shows the device, how far to trust the table, MACs against latency, where a model's time
    goes, the curve of every block, and the roofline. Its calculator has sliders and gives the same
    answers as predict.
    """
    from ...verbs.report import report as make_report

    check_writable(out)
    page = make_report(
        tables,
        runs=runs,
        breakdowns=breakdowns,
        validations=validations,
        ceilings=ceilings,
        at=at,
        progress=not as_json,
    )
    page.save(out)
    if as_json:
        print_json({**page.report(), "out": str(out)})
    else:
        note(f"written: {out} ({page.size_bytes / 1e3:.0f} kB)")
    return 0
