"""A foreign model's spec as one table prices it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, cast

from ..errors import UserError
from ..models.checks import shown
from ..models.families.foreign.spec import ForeignSpec
from .graph_spec import GraphSource
from .parts import parts_of
from .rules import Rules


def priced(
    spec: ForeignSpec, ops: Collection[str], observed: Mapping[str, Any], partial: bool = False
) -> tuple[ForeignSpec, tuple[str, ...]]:
    """Return the spec with the parts that a table of these ops, measured so, can price.

    `observed` is what the table's header says of the machine. A spec without a source is returned
    as it is. Beside it are the operators that have no price; any is a UserError unless `partial`.
    """
    if spec.source is None:
        return spec, ()
    source = cast("GraphSource", spec.source)
    found = parts_of(source.graph(), Rules.of(observed), ops)
    if not partial:
        found.check_known()
    if not found.blocks:
        raise UserError(
            f"{spec.name} has no operator that a kernel stands for, only "
            f"{', '.join(map(shown, dict.fromkeys(found.unknown)))}; there is nothing to predict."
        )
    counts: dict[Any, int] = {}
    for block in found.blocks:
        counts[block] = counts.get(block, 0) + 1
    unknown = tuple(sorted(found.unknown))
    return replace(spec, parts=tuple(counts.items()), unknown=unknown), found.unknown
