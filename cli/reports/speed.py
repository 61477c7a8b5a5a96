"""At which speed of the machine latencies are, in a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..output import say

if TYPE_CHECKING:
    from ...tables.speed import Speed


def print_speed(speeds: Iterable[Speed | None]) -> None:
    """Print the speed of each table that is known and not the undisturbed machine's."""
    from ...tables.speed import IN_WORDS

    for speed in dict.fromkeys(speeds):
        if speed not in (None, "undisturbed"):
            say(f"Latencies are {IN_WORDS[speed]} (--at {speed}).")
