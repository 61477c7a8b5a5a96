"""The table that a verb takes, by file or as such."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .inputs import Path

if TYPE_CHECKING:
    from ..tables import LatencyTable


def table_of(table: Path | LatencyTable) -> LatencyTable:
    """Return a table, read from its file where it is given so."""
    if not isinstance(table, (str, os.PathLike)):
        return table
    from .latency_table import LatencyTable

    return LatencyTable.read_csv(os.fspath(table))
