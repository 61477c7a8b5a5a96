"""What a table holds of its families: its grids, as the spaces take them."""

from __future__ import annotations

from ..errors import UserError
from ..spaces.registry import families_with_spaces, slabs_class
from ..spaces.slabs import FamilySlabs, Grids
from ..tables import LatencyTable


def grids_of(table: LatencyTable) -> Grids:
    """Return the grids of all ops that a table has."""
    return Grids(
        table.source,
        {
            op: [
                {
                    axis: tuple(map(int, levels))
                    for axis, levels in zip(part.axes, part.levels, strict=True)
                }
                for part in table.grids(op).parts
            ]
            for op in table.ops
        },
    )


def spaces_of_table(table: LatencyTable, family: str | None = None) -> list[FamilySlabs]:
    """Return what is measured of each family that a table holds, or of the one that is named.

    The families are those of its whole models; of a table without any, those whose ops it has.
    Raises UserError where there is none, or the named one is not covered.
    """
    grids = grids_of(table)
    if family is not None:
        return [slabs_class(family).of_grids(grids)]
    families = dict.fromkeys(row.subject.family for row in table.model_rows)  # type: ignore[union-attr]
    known = [name for name in families if name in families_with_spaces()]
    if known:
        return [slabs_class(name).of_grids(grids) for name in known]
    found = []
    reason: UserError | None = None
    for name in families_with_spaces():
        try:
            found.append(slabs_class(name).of_grids(grids))
        except UserError as error:
            reason = reason or error
    if not found and reason is not None:
        raise reason
    return found
