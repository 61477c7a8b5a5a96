"""Stages in the fields of a space file: each is a table of choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import UserError
from ..models.checks import check_known_fields, shown
from .gene import Gene, Need, choices_of

FRACTIONS = ("ratio", "mlp_ratio")


def stages_of(record: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """Return the stages that a field lists; raises UserError where it is not a list of tables."""
    stages = record.get(field)
    if not isinstance(stages, list | tuple) or not stages:
        raise UserError(f"the field '{field}' must be a list of stages, each with its choices.")
    for number, stage in enumerate(stages, start=1):
        if not isinstance(stage, Mapping):
            raise UserError(f"{field} {number}: {shown(stage)} must be a table of choices.")
    return list(stages)


def stage_genes(
    stage: Mapping[str, Any],
    block: str,
    choices: Sequence[str],
    *,
    defaults: Mapping[str, Any] | None = None,
    frame: Iterable[str] = (),
    needs: Need | None = None,
) -> list[Gene]:
    """Return the genes of a stage, which is called `block`; UserError naming its wrong field.

    defaults: choices that need not be given; frame: fields that are not a choice.
    """
    own = defaults or {}
    try:
        check_known_fields(stage, [*choices, *frame])
    except UserError as error:
        raise UserError(f"{block}: {error}") from None
    for choice in choices:
        if choice not in stage and choice not in own:
            raise UserError(f"{block}: the field '{choice}' is missing; give its choices.")
    return [
        Gene.of(
            f"{block}.{choice}",
            choices_of(stage, choice, own.get(choice)),
            block,
            deepens=choice == "depth",
            needs=needs,
            fractions=choice in FRACTIONS,
        )
        for choice in choices
    ]
