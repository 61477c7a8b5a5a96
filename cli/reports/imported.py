"""What came of importing another tool's table, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..output import note, say

if TYPE_CHECKING:
    from ...tables.importers import Imported


def note_left_out(found: Imported) -> None:
    """Tell which keys were not understood, which blocks stand there twice, and an odd unit."""
    if found.overruled is not None:
        origin = found.table.header.imported[0]
        note(
            f"the format of {origin['tool']} is in {found.overruled}; this file is taken to be in "
            f"{origin['unit']}, as given."
        )
    for key in found.unknown:
        note(f"unknown, not imported: {key}")
    for block in found.repeated:
        note(f"appears more than once, the median is taken: {block}")


def print_imported(found: Imported, out: Path) -> None:
    """Print how many rows of which op there are."""
    setting = found.table.setting
    unit = found.table.header.imported[0]["unit"]
    ops = ", ".join(f"{count} {op}" for op, count in found.ops.items())
    say(
        f"{out}: {len(found.table.rows)} rows of device {setting.device}, "
        f"imported from {setting.provider} in {unit}: {ops}"
    )
