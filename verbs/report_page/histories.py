"""How the training of a run went, as the page shows it: loss and accuracy over the epochs."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.json_object import LARGEST_FILE_BYTES
from ...training.history import COLUMNS, HISTORY
from ...untrusted.files import read_text

MOST_ROWS, MOST_STAGES, LONGEST_STAGE = 20_000, 64, 80


def stages_of(folder: Path) -> list[dict[str, Any]]:
    """Return each stage of a run's history.csv with its rows (epoch, loss, top1); [] without one.

    Raises UserError for a file that is damaged.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    text = read_text(path, "the history of a training", LARGEST_FILE_BYTES)
    stages: dict[str, list[list[float | None]]] = {}
    try:
        lines = csv.DictReader(io.StringIO(text))
        if tuple(lines.fieldnames or ()) != COLUMNS:
            raise ValueError("another header")
        for line, _ in zip(lines, range(MOST_ROWS), strict=False):
            stage = line["stage"][:LONGEST_STAGE]
            row = [_number(line["epoch"]), _number(line["loss"]), _number(line["top1"])]
            if len(stages) < MOST_STAGES or stage in stages:
                stages.setdefault(stage, []).append(row)
    except (csv.Error, TypeError, ValueError):
        raise UserError(
            f"'{path}' is damaged: it is not {', '.join(COLUMNS)}, as vitprof train and "
            "prune write it; remove the file."
        ) from None
    return [{"stage": stage, "rows": rows} for stage, rows in stages.items()]


def _number(text: str) -> float | None:
    """Return a cell's number; None for an empty cell."""
    if text == "":
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
