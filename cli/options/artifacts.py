"""How models are compiled, and where what is compiled is kept."""

from __future__ import annotations

from pathlib import Path

import click

artifacts_option = click.option(
    "--artifacts",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep compiled models in this folder, and reuse them the next time.",
)

jobs_option = click.option(
    "--jobs",
    metavar="N",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Compile N points at once, ahead of all else, in processes of one thread each.",
)
