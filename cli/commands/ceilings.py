"""`vitprof ceilings`: what a table's device attains at most, by the table's own runtime."""

from __future__ import annotations

from pathlib import Path

import click

from ..options.table_and_setting import check_writable, table_option
from ..options.waiting import wait_option
from ..output import json_option, note, print_json, print_table


@click.command(epilog="Example: vitprof ceilings --table lut.csv --out ceilings.json")
@table_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write them as a JSON file, for vitprof report --ceilings.",
)
@wait_option
@json_option
def ceilings(table_path: Path, out: Path | None, as_json: bool) -> int:
    """Measure the ceilings of a table's device: matrix products and memory.

    Runs large matrix products, and the sum of two arrays larger than any cache, with the table's
    own runtime. Fresh sessions repeat it until three attain the best rate, to within 2 %, and the
    machine was undisturbed meanwhile, for at most a minute. `vitprof report` draws a roofline under
    them.
    """
    from ...verbs.ceilings import ceilings as measure_ceilings

    if out:
        check_writable(out)
    found = measure_ceilings(table_path, progress=not as_json)
    if out:
        found.save(out)
    if as_json:
        print_json(found.report())
        return int(found.is_doubtful)
    rows = [
        (name, f"{most:.4g} {unit}", f"{difference:.1%}")
        for name, most, unit, difference in found.to_frame().itertuples(index=False)
    ]
    print_table(("ceiling", "at most", "third best session is lower by"), rows, found.runtime)
    if out:
        note(f"written: {out}")
    if found.doubt is not None:
        note(found.doubt)
    return int(found.is_doubtful)
