"""The paper's table of a result: by the folder of a run, or by what `--json` printed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.checks import shown
from ...models.json_object import read_json_object
from ...tables import LatencyTable
from ..given_table import table_of
from .measured import measured_table
from .paper_table import PaperTable
from .pruned import pruned_table
from .searched import chosen_table, searched_table
from .varied import published_rows, variants_table

REPORT = "report.json"
OF = "prune, search, choose, variants, compare and bench"


def paper_table(
    path: str | os.PathLike[str], tables: Sequence[str | os.PathLike[str] | LatencyTable] = ()
) -> PaperTable:
    """Return the table of a run's folder, or of a file with a command's JSON.

    tables: of a run of prune, each adds a column with the speed-ups that it predicts.

    Raises UserError for what none of the commands wrote.
    """
    place = Path(path)
    folder = place if place.is_dir() else place.parent if place.name == REPORT else None
    if place.is_dir():
        place = place / REPORT
        if not place.is_file():
            raise UserError(
                f"{shown(str(path))} has no {REPORT}; give a folder that vitprof prune, search or "
                "choose wrote, and a run that is not done has none yet."
            )
    report, source = read_json_object(place)
    return table_of_report(report, source, folder, [table_of(table) for table in tables])


def table_of_report(
    report: Mapping[str, Any],
    source: str = "the result",
    folder: Path | None = None,
    tables: Sequence[LatencyTable] = (),
) -> PaperTable:
    """Return the table of a result's `report()`; UserError for another command's."""
    if "base" in report and ("models" in report or "predicted_ms" in report):
        return pruned_table(report, folder, tables)
    if tables:
        raise UserError(f"`speed_up` goes with a run of vitprof prune, and {source} is none.")
    if isinstance(report.get("front"), list):
        return searched_table(report)
    if isinstance(report.get("measured"), list):
        return chosen_table(report)
    if "published" in report:
        return published_rows(report)
    if isinstance(report.get("choices"), list) and "ranked" in report:
        return variants_table(report)
    if isinstance(report.get("results"), list) or isinstance(report.get("models"), list):
        return measured_table(report, source)
    raise UserError(f"{source} is not a result of {OF}; only these have a table.")
