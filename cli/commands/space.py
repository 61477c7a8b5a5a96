"""`vitprof space`: what a search space is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ...errors import UserError
from ...progress import shown_wait
from ..options.table_and_setting import at_option
from ..output import json_option, print_json

MOST_SAMPLES = 100_000


@click.command(
    epilog="Example: vitprof space  |  vitprof space autovit-xxs --table lut.csv  |  "
    "vitprof space mine.toml --sample 10 --out specs"
)
@click.argument("name", required=False)
@click.option(
    "--sample",
    type=click.IntRange(1, MOST_SAMPLES),
    help="Write this many different random models, each spec as a JSON file.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the random models.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the random models.")
@click.option("--table", help="A table that covers the space: also show milliseconds.")
@at_option
@json_option
def space(
    name: str | None,
    sample: int | None,
    seed: int,
    out: Path | None,
    table: str | None,
    at: str | None,
    as_json: bool,
) -> int:
    """Show what a search space holds: a NAME, or a .toml or .json file.

    Shows the number of models, their choices, and the cost of the smallest and the largest. Without
    a name: lists the known spaces.
    """
    if name is None:
        given = (("--sample", sample), ("--out", out), ("--table", table), ("--at", at))
        for option, value in given:
            if value is not None:
                raise UserError(f"{option} is for one space; name it.")
        return _list_spaces(as_json)
    if (sample is None) != (out is None):
        raise UserError("--sample N and --out FOLDER go together: give both, or none.")
    if at is not None and table is None:
        raise UserError("--at is of a table; give --table too.")
    from ...search.described_space import described, write_sample
    from ...verbs.given_table import table_of
    from ...verbs.inputs import space_of
    from ..reports.space import print_space

    with shown_wait(f"counting the models of {name}"):
        found = described(space_of(name), [table_of(table, at)] if table else [])
    if sample and out:
        with shown_wait(f"drawing {sample} models"):
            found = replace(found, files=write_sample(found.space, sample, seed, out))
    if as_json:
        print_json(found.report())
    else:
        print_space(found)
    return 0


def _list_spaces(as_json: bool) -> int:
    from ...spaces.registry import find_search_space, search_space_names
    from ..reports.space import print_spaces

    spaces = [find_search_space(name) for name in search_space_names()]
    if as_json:
        listed = [{"name": s.name, "family": s.family, "models": s.count()} for s in spaces]
        print_json({"spaces": listed})
    else:
        print_spaces(spaces)
    return 0
