"""What `vitprof impact` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import milliseconds, note, print_table, say
from .speed import print_speed

if TYPE_CHECKING:
    from ...verbs.impact import ImpactResult


def print_impact(found: ImpactResult) -> None:
    """Print a row a module."""
    say(found.title)
    print_speed([found.table.stated_at])
    print_table(
        ("without", "ms", "ms saved", "top-1", "points lost", "points per ms"),
        [
            (
                each.name,
                milliseconds(each.ms_without),
                f"{each.ms_saved:.3g}",
                f"{100 * each.accuracy_without:.2f} %",
                f"{each.points_lost:.2f}",
                each.ratio_in_words,
            )
            for each in found.impacts
        ],
    )
    note(f"one image is {100 / len(found.images):.2g} points.")
    if found.calibration is not None:
        note(
            f"without a module batch norms have the statistics of {len(found.calibration)} images "
            f"of {found.calibration.name}."
        )
