"""What an importer found in a file, before it becomes a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from ...errors import UserError
from ...models import Block
from ..row import Row


@dataclass
class Entries:
    """Blocks with their milliseconds; keys that were not understood; devices the file names.

    Where a format `repeats` measurements of one block their median is taken, and `repeated` says
    of which; elsewhere a block that stands there twice is an error.
    """

    tool: str
    unit: str
    repeats: bool = False
    ms: dict[Block, list[float]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)

    def add(self, block: Block, ms: float, where: str) -> None:
        if block in self.ms and not self.repeats:
            raise UserError(f"{where} is {block}, which the file holds already; take one out.")
        self.ms.setdefault(block, []).append(ms)

    @property
    def repeated(self) -> list[Block]:
        return [block for block, values in self.ms.items() if len(values) > 1]

    def rows(self) -> list[Row]:
        """Return a row a block: imported, so without sessions or an interval."""
        return [
            Row(block, verdict="imported", latency_ms=median(values))
            for block, values in self.ms.items()
        ]
