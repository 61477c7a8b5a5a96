"""The speeds of a machine at which a table can state its latencies."""

from __future__ import annotations

from typing import Literal, get_args

from ..errors import UserError, did_you_mean
from ..models.checks import shown

Speed = Literal["undisturbed", "typical", "p90"]

SPEEDS: tuple[Speed, ...] = get_args(Speed)
IN_WORDS: dict[Speed, str] = {
    "undisturbed": "on the undisturbed machine",
    "typical": "at the machine's typical speed",
    "p90": "at the machine's 90th percentile",
}


def speed_of(text: str) -> Speed:
    """Return the speed of this name; raises UserError for another."""
    for speed in SPEEDS:
        if text == speed:
            return speed
    raise UserError(
        f"{shown(text)} is not a speed{did_you_mean(text, SPEEDS)}; `at` is one of "
        f"{', '.join(SPEEDS)}."
    )
