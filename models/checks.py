"""Checks of values that come from outside: each raises one UserError sentence naming the field."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..errors import UserError, did_you_mean
from ..shown import shown


def check_whole_number(field: str, value: Any, low: int, high: int) -> None:
    """Raise UserError unless `value` is an int (not a bool) from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UserError(f"{field}={shown(value)} must be a whole number from {low} to {high}.")


def check_flag(field: str, value: Any) -> None:
    """Raise UserError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise UserError(f"{field}={shown(value)} must be true or false.")


def check_fraction(field: str, value: Any) -> None:
    """Raise UserError unless `value` is a number above 0 and below 1."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or math.isnan(value) or not 0 < value < 1:
        raise UserError(f"{field}={shown(value)} must be a number above 0 and below 1.")


def check_name(field: str, value: Any) -> None:
    """Raise UserError unless `value` is printable text of 1 to 200 characters."""
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
        raise UserError(f"{field}={shown(value)} must be printable text of 1 to 200 characters.")


def check_known_fields(given: Iterable[str], known: Iterable[str]) -> None:
    """Raise UserError naming the first field that is not known, and the nearest known one."""
    known = list(known)
    for field in given:
        if field not in known:
            raise UserError(f"unknown field {shown(field)}{did_you_mean(field, known)}.")


def check_required_fields(given: Iterable[str], required: Iterable[str]) -> None:
    """Raise UserError naming the first required field that is not given."""
    given = set(given)
    for field in required:
        if field not in given:
            raise UserError(f"the field '{field}' is missing; add it.")


def check_kernel(field: str, kernel: int, side: int) -> None:
    """Raise UserError unless `kernel` is odd and each of its weights meets a map of this side.

    The map is padded by kernel // 2, so that it keeps its side.
    """
    if kernel % 2 == 0:
        raise UserError(f"{field}={kernel} is even, so it has no middle; use an odd one.")
    if kernel > 2 * side - 1:
        raise UserError(
            f"{field}={kernel} is larger than the map of {side}x{side} it runs on (the outer "
            f"weights would only ever meet padding); use at most {2 * side - 1}, or a larger "
            "resolution or window."
        )
