"""Names that a search takes; free of numpy, so that a command line lists it at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UserError, did_you_mean

OBJECTIVES = ("accuracy", "cost", "accuracy-size")
# What the cost of equation 3 adds to latency, and what a model may be judged by without accuracies.
COSTS = ("params", "macs")
PROXIES = ("macs", "params")
# By what the coarse stage ranks models that keep the limits, see `coarse_stage`.
RANKS = ("limit", "macs", "params", "latency", "none")


def check_choice(parameter: str, name: str, known: Iterable[str]) -> None:
    """Raise UserError for a name that is none of the known ones, naming the nearest."""
    if name not in known:
        raise UserError(f"unknown `{parameter}` '{name}'{did_you_mean(name, known)}.")
