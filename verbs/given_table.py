"""The table that a verb takes, by file or as such."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .inputs import Path

if TYPE_CHECKING:
    from ..tables import LatencyTable
    from ..tables.speed import Speed


def table_of(table: Path | LatencyTable, at: Speed | str | None = None) -> LatencyTable:
    """Return a table, read from its file where it is given so, at a speed of its machine.

    `at` None leaves it at the speed that it is stated at. Raises UserError where the table does not
    know the speed.
    """
    if isinstance(table, (str, os.PathLike)):
        from .latency_table import LatencyTable

        table = LatencyTable.read_csv(os.fspath(table))
    return table if at is None else table.at(at)
