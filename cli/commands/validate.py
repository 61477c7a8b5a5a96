"""`vitprof validate`: how far a table can be trusted for models it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from ..exit_codes import INTERRUPTED
from ..options.artifacts import artifacts_option, jobs_option
from ..options.completed import complete_model
from ..options.download import download_option
from ..options.family import family_and_space, space_option
from ..options.log import log_option, log_result
from ..options.shapes import shape_option
from ..options.table_and_setting import at_option, check_picture, check_writable, table_option
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.validation import print_validation, write_models


@click.command(
    epilog="Example: vitprof validate --table lut.csv --family vit --samples 50 --seed 1 "
    "--plot validate.png"
)
@table_option
@at_option
@click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=complete_model,
    help="Measure this model instead of random ones; it must not be in the table; may be repeated.",
)
@shape_option
@click.option("--family", help="Family of the random models (default: the table's).")
@space_option(
    "Take the random models from this search space: a name or a file (default: the one that the "
    "table was measured for)."
)
@click.option(
    "--samples",
    default=50,
    show_default=True,
    type=click.IntRange(3, 10000),
    help="Unseen random models.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the random models.")
@click.option(
    "--train",
    default=0,
    show_default=True,
    type=click.IntRange(0, 10000),
    help="Measure this many further models to train the learned predictors (operator model, MLP, "
    "random forest); 0 leaves them out.",
)
@click.option(
    "--sessions",
    default=5,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Most rounds (at least 2); in each round every model gets a fresh session.",
)
@click.option(
    "--time",
    help="Start no further round after this time, e.g. 60s or 3m. If it is too short for two "
    "rounds, fewer models are measured.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it (png, svg or pdf).")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write a CSV with a row for each model."
)
@artifacts_option
@jobs_option
@download_option
@wait_option
@log_option
@json_option
def validate(
    table_path: Path,
    at: str | None,
    models: tuple[str, ...],
    shapes: Mapping[str, tuple[int, ...]] | None,
    family: str | None,
    space: str | None,
    old_space: str | None,
    samples: int,
    seed: int,
    train: int,
    sessions: int,
    time: str | None,
    plot: Path | None,
    out: Path | None,
    artifacts: Path | None,
    jobs: int,
    download: bool,
    as_json: bool,
) -> int:
    """Measure random models that are not in the table, and compare.

    The table is compared with simpler predictors on the same models, and with the noise floor: how
    far a second measurement differs from the first. Two rounds give an answer and further ones
    narrow it; Ctrl-C prints the answer so far.
    """
    from ...verbs.validate import validate as validate_table

    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    family, space = family_and_space(family, space, old_space)
    result = validate_table(
        table_path,
        models,
        shapes=shapes,
        at=at,
        family=family,
        space=space,
        samples=samples,
        seed=seed,
        train=train,
        sessions=sessions,
        time=time,
        artifacts=artifacts,
        jobs=jobs,
        download=download,
        progress=not as_json,
    )
    if out:
        write_models(result, out)
    if plot:
        result.plot(plot)
    if as_json:
        print_json(result.report())
    else:
        print_validation(result)
        for path in filter(None, (out, plot)):
            note(f"written: {path}")
    log_result(result)
    if result.stopped == "interrupted":
        note("interrupted; this is the answer so far.")
        return INTERRUPTED
    return 0
