"""A table and a model given by place: `vitprof predict lut.csv deit-small`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...errors import UserError
from .completed import complete_model
from .table_and_setting import given_options

F = TypeVar("F", bound=Callable[..., Any])


def table_and_model_places(function: F) -> F:
    """Add [TABLE] [MODEL], which stand for --table and --model; one alone is the model.

    A single place that ends in .csv is the table where the model is given as an option.
    """

    @click.argument("places", nargs=-1, metavar="[TABLE] [MODEL]", shell_complete=complete_model)
    @functools.wraps(function)
    def with_places(*args: Any, places: tuple[str, ...], **given: Any) -> Any:
        table, model = _sorted(places, model_is_given=given["model"] is not None)
        for name, place, parameter in (("table", table, "table_path"), ("model", model, "model")):
            if place is None:
                continue
            if given_options([parameter]):
                raise UserError(
                    f"the {name} is given twice, as '{place}' and by --{name}; remove one."
                )
            given[parameter] = Path(place) if name == "table" else place
        if given["model"] is None:
            raise UserError(
                "no model is given; name one: deit-small (vitprof models lists them), a file or a "
                "folder."
            )
        return function(*args, **given)

    return with_places  # type: ignore[return-value]


def _sorted(places: tuple[str, ...], model_is_given: bool) -> tuple[str | None, str | None]:
    """Return the table and the model among what is given by place."""
    if len(places) > 2:
        raise UserError(
            f"{len(places)} arguments are too many; give one table and one model: "
            "lut.csv deit-small."
        )
    if len(places) == 2:
        first, second = places
        # In the other order there is nothing to confuse: no model is a .csv file.
        swapped = second.endswith(".csv") and not first.endswith(".csv")
        return (second, first) if swapped else (first, second)
    if not places:
        return None, None
    (only,) = places
    return (only, None) if only.endswith(".csv") or model_is_given else (None, only)
