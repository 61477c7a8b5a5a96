"""--shape: the sizes of a foreign model's inputs."""

from __future__ import annotations

from collections.abc import Mapping

import click

from ...quantities import shape_of


def _shapes(
    _: click.Context, __: click.Parameter, given: tuple[str, ...]
) -> Mapping[str, tuple[int, ...]] | None:
    return dict(map(shape_of, given)) or None


shape_option = click.option(
    "--shape",
    "shapes",
    multiple=True,
    callback=_shapes,
    metavar="NAME=1,3,224,224",
    help="Sizes of a foreign model's input, including the batch, if the model leaves them open.",
)
