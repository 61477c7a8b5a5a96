"""The unit of another tool's latencies: its format's, or the one that is given, never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ...errors import UserError, did_you_mean
from ...models import Block

# How many milliseconds each is.
UNITS = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
# MACs a second that a machine attains: from a microcontroller to beyond the largest GPU.
_LEAST_RATE, _MOST_RATE = 1e7, 1e15
# What a block of a network takes, in ms, where its MACs are not known.
_LEAST_MS, _MOST_MS = 0.02, 500.0


@dataclass(frozen=True)
class Unit:
    """A unit, how many milliseconds it is, and who says so."""

    name: str
    from_whom: str

    @property
    def ms(self) -> float:
        return UNITS[self.name]


def check_unit(name: str) -> None:
    """Raise UserError unless a unit of time has this name."""
    if name not in UNITS:
        raise UserError(
            f"unknown unit '{name}'{did_you_mean(name, UNITS)}; a unit is one of "
            f"{', '.join(UNITS)}."
        )


def unit_of(
    given: str | None, defined: str | None, tool: str, path: str, latencies: Latencies
) -> Unit:
    """Return the unit of a file: the one that is given, or else the one its format defines.

    The given one stands where both are there: a file may have been converted, and who brings it
    knows. Raises UserError where there is neither, with the units that fit the magnitudes.
    """
    if given is not None:
        check_unit(given)
        return Unit(given, "given at import")
    if defined is not None:
        return Unit(defined, f"the format of {tool}")
    raise UserError(
        f"{path} states no unit, and neither does the format of {tool}; say it with `unit` "
        f"({', '.join(UNITS)}). {latencies.suggestion()}"
    )


@dataclass(frozen=True)
class Latencies:
    """Blocks with their values as a file has them, each for a run of `batch`."""

    blocks: Sequence[Block]
    values: Sequence[float]
    batch: int

    def suggestion(self) -> str:
        """Return a sentence that says which units the magnitudes fit."""
        counted = [
            self.batch * block.macs / value
            for block, value in zip(self.blocks, self.values, strict=True)
            if block.definition.counted and block.macs
        ]
        if not counted:
            middle = median(self.values)
            fitting = [name for name, ms in UNITS.items() if _LEAST_MS <= middle * ms <= _MOST_MS]
            units = " or ".join(fitting) or "none of them"
            return f"By its magnitude it is {units}: half of its values are above {middle:.3g}."
        rate = median(counted)
        rates = {name: rate / (ms / 1e3) for name, ms in UNITS.items()}
        fits = [
            f"{name} ({in_words(each)})"
            for name, each in rates.items()
            if _LEAST_RATE <= each <= _MOST_RATE
        ]
        return (
            f"By its magnitude it is {' or '.join(fits) or 'none of them'} at batch {self.batch}; "
            "a larger `batch` makes that so many times as much."
        )


def in_words(macs_per_s: float) -> str:
    """Return "18 GMAC/s"."""
    for prefix, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if macs_per_s >= size:
            return f"{macs_per_s / size:.3g} {prefix}MAC/s"
    return f"{macs_per_s:.3g} MAC/s"
