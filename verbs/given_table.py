"""The table that a verb takes, by file or as such."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..notes import warn
from .inputs import Path

if TYPE_CHECKING:
    from ..tables import LatencyTable
    from ..tables.speed import Speed

# A table is mostly unstable where more than this share of its measured points is.
MOSTLY = 0.5


def table_of(table: Path | LatencyTable, at: Speed | str | None = None) -> LatencyTable:
    """Return a table, read from its file where it is given so, at a speed of its machine.

    `at` None leaves it at the speed that it is stated at. Raises UserError where the table does not
    know the speed.
    """
    if isinstance(table, (str, os.PathLike)):
        from .latency_table import LatencyTable

        table = LatencyTable.read_csv(os.fspath(table))
    return table if at is None else table.at(at)


def warn_if_mostly_unstable(table: LatencyTable) -> None:
    """Warn where more than half of the points that were measured are unstable."""
    verdicts = [row.verdict for row in table.rows]
    unstable = verdicts.count("unstable")
    measured = unstable + verdicts.count("stable")
    if unstable > MOSTLY * measured:
        warn(
            f"warning: {unstable} of the {measured} measured points of {table.source} are "
            "unstable, so its milliseconds may be far off; measure it again while nothing else "
            "runs, or verify the results: their ratio to the unpruned model is then measured."
        )
