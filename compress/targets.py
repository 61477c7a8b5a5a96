"""What a pruned model has to come down to, and whether it can."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..models import Spec
from ..models.checks import shown
from ..models.structures.structure import KINDS, Kind
from ..quantities import Quantity, count, target_of
from ..tables import LatencyTable
from .budget import Budget, Unit
from .cutting import prunable_of
from .groups import Groups

_IN_WORDS: dict[Unit, str] = {"latency": "ms", "macs": "MACs", "params": "parameters"}


@dataclass(frozen=True)
class Target:
    """One target: as it was written, and what it comes to in the budget's unit."""

    text: str
    cost: float


def parse_targets(
    wanted: Quantity | Sequence[Quantity], full: float, unit: Unit = "latency"
) -> list[Target]:
    """Return what "0.54x,0.39x", "12ms", 12 or, of MACs and parameters, "0.5x" and "300M" mean.

    full: cost of the unpruned model. The largest comes first. Raises UserError for anything else, a
    target of 0, one at or above the unpruned model, and one that is given twice.
    """
    several = [wanted] if isinstance(wanted, (str, int, float)) else wanted
    targets = []
    for part in filter(None, (piece for one in several for piece in _pieces(one))):
        cost = _cost(part, full, unit)
        if not 0 < cost < full:
            raise UserError(
                f"the target {shown(part)} has to be above 0 and below the unpruned model, which "
                f"takes {amount(full, unit)}."
            )
        targets.append(Target(part.replace(" ", ""), cost))
    if not targets:
        raise UserError("there is no target; write one as 0.5x or 12ms.")
    targets.sort(key=lambda target: -target.cost)
    for first, second in itertools.pairwise(targets):
        if first.cost == second.cost:
            raise UserError(f"the targets {first.text} and {second.text} are the same.")
    return targets


def _pieces(target: Quantity) -> list[str]:
    return [piece.strip() for piece in str(target).split(",")]


def _cost(text: str, full: float, unit: Unit) -> float:
    if text.endswith("x"):
        return target_of(text)[0] * full
    return target_of(text)[0] if unit == "latency" else count(text)


def amount(cost: float, unit: Unit) -> str:
    """Return a cost in words: "12.3 ms", "1.26 G MACs"."""
    if unit == "latency":
        return f"{cost:.4g} ms"
    for factor, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if cost >= factor:
            return f"{cost / factor:.4g}{prefix} {_IN_WORDS[unit]}".replace("  ", " ")
    return f"{cost:.0f} {_IN_WORDS[unit]}"


def floors_of(
    spec: Spec,
    table: LatencyTable,
    groups: Groups,
    only: tuple[str, ...] = (),
    kinds: Sequence[Kind] = KINDS,
) -> dict[str, int]:
    """Return the least width of every structure that may shrink: a group, and in the table's range.

    kinds, only: which may. Raises UserError where the table does not cover the unpruned model, or
    nothing may shrink.
    """
    _check_covered(table, spec)
    prunable = prunable_of(spec)
    floors = {}
    for s in prunable.structures(spec, True):
        if s.kind not in kinds or (only and not s.name.startswith(only)):
            continue
        floors[s.name] = s.units
        while count := groups.next_group(s.kind, floors[s.name]):
            if not _covers(table, prunable.with_units(spec, {s.name: floors[s.name] - count})):
                break
            floors[s.name] -= count
    if not floors:
        raise UserError(
            f"nothing of {spec.name} may shrink: no structure's name begins with "
            f"{' or '.join(only)}."
        )
    return floors


def _check_covered(table: LatencyTable, spec: Spec) -> None:
    try:
        table.predict(spec)
    except UserError as error:
        # Nothing is pruned towards a guess.
        reason = str(error).replace(", or accept a guess with `extrapolate`", "")
        raise UserError(f"{spec.name} cannot be pruned by this table: {reason}") from None


def _covers(table: LatencyTable, spec: Spec) -> bool:
    try:
        table.predict_many([spec])
    except UserError:
        return False
    return True


def check_reachable(
    spec: Spec, targets: Sequence[Target], budget: Budget, floors: Mapping[str, int]
) -> None:
    """Raise UserError, naming the smallest cost within reach, for a target that is below it."""
    smallest = prunable_of(spec).with_units(spec, floors)
    full, reachable = (float(cost) for cost in budget.of([spec, smallest]))
    for target in targets:
        if target.cost < reachable:
            raise UserError(
                f"the target {target.text} ({amount(target.cost, budget.unit)}) is out of reach: "
                "with the least widths everywhere that `groups` and the table allow, "
                f"{spec.name} still takes {amount(reachable, budget.unit)} "
                f"({math.ceil(1000 * reachable / full) / 1000:.3f}x); take that or more."
            )
