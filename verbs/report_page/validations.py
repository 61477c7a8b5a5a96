"""The unseen models that `vitprof validate --out` wrote, as the page shows them."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.checks import shown
from ...untrusted.files import read_text
from .from_json import text_in

COLUMNS = ("measured_ms", "first_ms", "again_ms", "predicted_ms", "low_ms", "high_ms")
MOST_MODELS, LARGEST_BYTES = 10_000, 10_000_000


def validation_record(path: Path) -> dict[str, Any]:
    """Return each model's line as JSON values; raises UserError for a file of other columns."""
    try:
        text = read_text(path, "a validation", LARGEST_BYTES)
        lines = list(csv.DictReader(io.StringIO(text)))[:MOST_MODELS]
        models = [
            {
                "name": text_in(dict(line), "model"),
                **{name.removesuffix("_ms"): _number(line[name]) for name in COLUMNS},
            }
            for line in lines
        ]
    except (csv.Error, KeyError, TypeError, ValueError):
        models = []
    if not models:
        raise UserError(
            f"{shown(str(path))} is not a validation; `validations` are what vitprof validate "
            "--out wrote."
        )
    return {"name": path.name, "models": models}


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value
