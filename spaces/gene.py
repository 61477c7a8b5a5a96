"""One choice of a search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..models.checks import shown

# Far above any real space; stops a hostile file from asking for terabytes.
LARGEST_CHOICES = 1_000
LARGEST_VALUE = 1e9
Value = int | float


@dataclass(frozen=True)
class Need:
    """A gene counts only where the gene called `gene` has at least the value `least`."""

    gene: str
    least: int


@dataclass(frozen=True)
class Gene:
    """One choice: its name ("transformer-1.width"), and its values in ascending order.

    block: what the paper's mutation redraws together: a layer or a stage. deepens: it says how many
    layers or stages there are. needs: where it has a meaning at all.
    """

    name: str
    values: tuple[Value, ...]
    block: str
    deepens: bool = False
    needs: Need | None = None

    @classmethod
    def of(
        cls,
        name: str,
        values: Any,
        block: str,
        *,
        deepens: bool = False,
        needs: Need | None = None,
        fractions: bool = False,
    ) -> Gene:
        """Return the gene; raises UserError for values that are not distinct positive numbers.

        fractions: they need not be whole.
        """
        if not isinstance(values, list | tuple):
            raise UserError(f"{name}={shown(values)} must be a list of its choices.")
        if not values:
            raise UserError(f"{name} has no choice; give at least one value.")
        if len(values) > LARGEST_CHOICES:
            raise UserError(f"{name} has {len(values)} choices, more than {LARGEST_CHOICES}.")
        for value in values:
            kinds = (int, float) if fractions else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not _is_positive(value):
                kind = "numbers" if fractions else "whole numbers"
                raise UserError(f"{name}: {shown(value)} is not a choice; they are {kind} above 0.")
        if len(set(values)) < len(values):
            raise UserError(f"{name}={shown(list(values))} names a choice twice; remove one.")
        return cls(name, tuple(sorted(values)), block, deepens, needs)


def _is_positive(value: Value) -> bool:
    return 0 < value < LARGEST_VALUE  # no NaN is; an int of any size can be compared


def choices_of(record: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """Return a field's choices; one number stands for the list of it alone."""
    value = record.get(name, default)
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value
