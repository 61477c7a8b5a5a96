"""A run's undisturbed speed beside that of earlier runs on the machine, and what that says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UserError
from ..notes import note, warn
from ..tables import Setting
from ..tables.references import Drift, Readings, Reference, UndisturbedFrom
from .place.known_machines import KnownMachines, KnownSpeed

# Two runs of an undisturbed machine agree better than this.
ALIKE = 0.03
# A first run whose fast readings are so rare, on a machine so restless, may have seen no fast mode.
LEAST_SHARE = 0.15
RESTLESS = 0.10

REMEDY = "stop other programs and measure again"


@dataclass(frozen=True)
class Speeds:
    """What each reference showed, and what it takes at the speed that the table is stated at."""

    readings: Mapping[Reference | None, Readings]

    @property
    def speed_ms(self) -> dict[Reference | None, float]:
        """Those that take another time than this run saw."""
        return {
            reference: showed.undisturbed_from.known_ms
            for reference, showed in self.readings.items()
            if showed.undisturbed_from is not None
        }


def compared(
    readings: Mapping[Reference | None, Readings],
    environment: Mapping[str, Any],
    setting: Setting,
) -> Speeds:
    """Return what references showed beside what earlier runs saw, and say it.

    Where earlier runs saw it as fast or faster, that is the known speed: so two tables of a machine
    are stated at one speed. A file that cannot be used is noted once.
    """
    machines, found, noted = KnownMachines(environment, setting), dict(readings), False
    for reference, showed in readings.items():
        if reference is None or showed.histogram is None or not showed.histogram:
            continue
        seen_ms = showed.histogram.undisturbed_ms
        try:
            known = machines.known(reference)
            if known is None and not noted and machines.had_other_runtime(reference):
                noted = True
                note(
                    f"this machine's undisturbed speed on file ({machines.path}) is of another "
                    "version of the runtime, and is not used."
                )
        except UserError as error:
            note(f"speeds of earlier runs are not compared: {error}")
            return Speeds(_judged_alone(found))
        found[reference] = _beside(known, showed, seen_ms)
    return Speeds(found)


def put_on_file(
    readings: Mapping[Reference | None, Readings],
    environment: Mapping[str, Any],
    setting: Setting,
) -> None:
    """Add a finished table's run to those on file, so that a killed one never meets itself."""
    machines = KnownMachines(environment, setting)
    for reference, showed in readings.items():
        if reference is None or not showed.histogram:
            continue
        try:
            machines.known(reference)
        except UserError:
            return  # `compared` has said it
        histogram = showed.histogram
        try:
            machines.add(reference, histogram.undisturbed_ms, histogram.undisturbed_share)
        except UserError as error:
            note(f"this run's speed is not kept for later ones: {error}")
            return


def _beside(known: KnownSpeed | None, showed: Readings, seen_ms: float) -> Readings:
    if known is None:
        return _alone(showed)
    factor = seen_ms / known.undisturbed_ms
    drift = showed.drift
    if drift is not None and abs(factor - 1) <= ALIKE:
        # The same speed, read once more: of all runs together it is known better than of this one.
        return _stated_at(known, showed, drift, seen_ms)
    if factor > 1 + ALIKE and drift is not None:
        slower = ""
        if drift.spread <= RESTLESS:
            slower = (
                f" Or it has become slower since {known.last} (another clock, neighbour or thermal "
                "limit)."
            )
        warn(
            f"never undisturbed: the reference took at least {seen_ms:.3g} ms, where this machine "
            f"is known to need {known.undisturbed_ms:.3g} ms ({known.runs} "
            f"run{'s' if known.runs > 1 else ''}); latencies are stated at the known speed. To see "
            f"it undisturbed, {REMEDY}.{slower}"
        )
        return _stated_at(known, showed, drift, seen_ms)
    if factor < 1 - ALIKE:
        note(
            f"this machine has become faster since {known.last}: the reference takes "
            f"{seen_ms:.3g} ms undisturbed, where it took {known.undisturbed_ms:.3g} ms (another "
            "clock, neighbour or thermal limit, or earlier runs were never undisturbed); tables "
            "of then are stated at the slower speed."
        )
    return showed


def _stated_at(known: KnownSpeed, showed: Readings, drift: Drift, seen_ms: float) -> Readings:
    return replace(
        showed,
        drift=replace(drift, undisturbed_ms=round(known.undisturbed_ms, 6)),
        undisturbed_from=UndisturbedFrom(known.undisturbed_ms, seen_ms, known.runs),
    )


def _judged_alone(
    readings: Mapping[Reference | None, Readings],
) -> dict[Reference | None, Readings]:
    return {reference: _alone(showed) for reference, showed in readings.items()}


def _alone(showed: Readings) -> Readings:
    """Mark a first run whose fast readings are too rare to be the undisturbed machine's."""
    drift, histogram = showed.drift, showed.histogram
    if drift is None or not histogram or showed.undisturbed_from is not None:
        return showed
    if histogram.undisturbed_share >= LEAST_SHARE or drift.spread <= RESTLESS:
        return showed
    warn(
        f"this machine may never have been undisturbed: only {histogram.undisturbed_share:.0%} of "
        f"the reference's readings were near the fastest; {REMEDY}."
    )
    return replace(showed, never_undisturbed=True)
