"""Choices as dims: a dim is a whole number, so a choice is its place in a list, from 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import UserError, did_you_mean
from ..checks import shown

ACTIVATIONS = ("relu", "hardswish", "gelu", "silu")
NORMS = ("batch", "layer")
NO_YES = ("no", "yes")


def code(choices: Sequence[str], value: object, field: str) -> int:
    """Return the dim that stands for `value`; raises UserError naming the field."""
    # One pass in most cases: every block of every model asks.
    for dim, known in enumerate(choices, 1):
        if value == known:
            return dim
    near = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise UserError(f"{field}={shown(value)} must be one of {', '.join(choices)}{near}.")


def choice(choices: Sequence[str], dim: int, axis: str) -> str:
    """Return what a dim stands for; raises UserError naming the axis."""
    if not 1 <= dim <= len(choices):
        raise UserError(f"{axis}={dim} stands for none of {', '.join(choices)} (1, 2, ...).")
    return choices[dim - 1]


_BY_AXIS = {"activation": ACTIVATIONS, "norm": NORMS, "cascade": NO_YES, "shift": NO_YES}


def check_choices(dims: Mapping[str, int]) -> None:
    """Raise UserError for a dim that stands for no choice of its axis."""
    for axis, choices in _BY_AXIS.items():
        if axis in dims:
            choice(choices, dims[axis], axis)


def check_divides(dims: Mapping[str, int], axis: str, divisor: str | int) -> None:
    """Raise UserError unless the dim of `divisor` (an axis, or a number) divides that of `axis`."""
    by = dims[divisor] if isinstance(divisor, str) else divisor
    if dims[axis] % by:
        what = f"{divisor}={by}" if isinstance(divisor, str) else str(by)
        raise UserError(f"{what} does not divide {axis}={dims[axis]}; change one of them.")
