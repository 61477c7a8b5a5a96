"""Where what is compiled is kept."""

from __future__ import annotations

from pathlib import Path

import click

artifacts_option = click.option(
    "--artifacts",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep compiled models in this folder, and reuse them the next time.",
)
