"""What `vitprof table merge` prints: how well each part, and the whole, predicts whole models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..output import print_json, say

if TYPE_CHECKING:
    from ...tables import LatencyTable


def print_merged(
    parts: Sequence[LatencyTable], merged: LatencyTable, out: Path, as_json: bool
) -> None:
    """Print the held-out error of every part and of the merged table, by family."""
    from ...tables.merge import fits

    if as_json:
        print_json(
            {
                "table": str(out),
                "rows": len(merged.rows),
                "parts": [{"table": part.source, "held_out": fits(part)} for part in parts],
                "held_out": fits(merged),
            }
        )
        return
    for part in parts:
        say(f"{part.source}: {len(part.rows)} rows; {_in_words(fits(part))}")
    say(f"{out}: {len(merged.rows)} rows; {_in_words(fits(merged))}")


def _in_words(errors: dict[str, float]) -> str:
    if not errors:
        return "no line through whole models"
    parts = (f"whole {family} models err by {error:.1%}" for family, error in errors.items())
    return f"{', '.join(parts)} held out"
