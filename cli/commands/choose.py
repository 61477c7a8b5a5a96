"""`vitprof choose`: of all that a once-trained model can be run as, the best under limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...search.deployments.choices import ACCURACIES, ALGORITHMS, DTYPES
from ..options.choice import choice_limit_options
from ..options.data import data_option, resolution_option
from ..options.renamed import RenamedOption
from ..options.train import fresh_option
from ..output import json_option, print_json


@click.command(
    epilog="Example: vitprof choose --models levels --models small --data digits --max-latency "
    "2ms --out chosen  |  vitprof choose --models levels --models small --data photos.zip "
    "--max-params 5.3M --algorithm random --out chosen"
)
@click.option("--models", cls=RenamedOption, old=["--variants"], required=True, multiple=True,
              help="A folder that prune-heads wrote, or one with a model; may be repeated.",
              )  # fmt: skip
@click.option("--dtypes", cls=RenamedOption, old=["--precisions"], default=",".join(DTYPES),
              show_default=True, help="Number formats to choose from.")  # fmt: skip
@click.option("--threads", default="1", show_default=True,
              help="Numbers of threads to choose from, e.g. 1,2.")  # fmt: skip
@data_option
@resolution_option
@click.option("--judge-images", type=click.IntRange(1),
              help="Judge by so many of the test images (default: half); the winner is tested on "
              "the others.")  # fmt: skip
@choice_limit_options
@click.option("--accuracy", default="top3", show_default=True, type=click.Choice(ACCURACIES),
              help="Which counts.")  # fmt: skip
@click.option("--latency-weight", default=0.1, show_default=True, type=click.FloatRange(0),
              help="Points for each second that 10,000 images take.")  # fmt: skip
@click.option("--memory-weight", default=1.0, show_default=True, type=click.FloatRange(0),
              help="Points for each GB of memory.")  # fmt: skip
@click.option("--algorithm", default="guided", show_default=True,
              type=click.Choice(tuple(ALGORITHMS)),
              help="guided predicts what is not measured yet; exhaustive measures everything.",
              )  # fmt: skip
@click.option("--evaluations", type=click.IntRange(1),
              help="Measure so many variants at most (default: 30 % of them).")  # fmt: skip
@click.option("--sessions", default=5, show_default=True, type=click.IntRange(1, 99),
              help="Fresh sessions that each is measured in.")  # fmt: skip
@click.option("--facts", type=click.Path(path_type=Path),
              help="File that keeps what is measured, for other limits too (default: in "
              "--out).")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of random search and evolution.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@fresh_option
@json_option
def choose(as_json: bool, **given: Any) -> int:
    """Find the best variant under limits, measuring few of them; nothing is trained.

    score = accuracy (%) - 0.1 x seconds for 10,000 images - GB of memory, of those that keep every
    limit. What was measured is kept: the same command, or one with other limits and the same
    --facts, goes on from there.
    """
    from ...verbs.choose import choose as verb
    from ..reports.chosen import print_choice

    found = verb(**given, progress=not as_json)
    if as_json:
        print_json(found.report())
    else:
        print_choice(found)
    return int(found.is_doubtful)
