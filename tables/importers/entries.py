"""What an importer found in a file, before it becomes a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from ...errors import UserError
from ...models import Block
from ..row import Row
from .units import Latencies, Unit


@dataclass
class Entries:
    """Blocks with their latencies; keys that were not understood; devices the file names.

    Latencies are in the file's own unit; `unit` is the one that the format defines (None: neither
    it nor the file says). Where a format `repeats` measurements of one block their median is
    taken, and `repeated` says of which; elsewhere a block that stands there twice is an error.
    """

    tool: str
    unit: str | None
    repeats: bool = False
    latencies: dict[Block, list[float]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)

    def add(self, block: Block, latency: float, where: str) -> None:
        if block in self.latencies and not self.repeats:
            raise UserError(f"{where} is {block}, which the file holds already; remove one.")
        self.latencies.setdefault(block, []).append(latency)

    @property
    def repeated(self) -> list[Block]:
        return [block for block, values in self.latencies.items() if len(values) > 1]

    def medians(self, batch: int) -> Latencies:
        """Return each block's latency as the file has it."""
        values = [median(values) for values in self.latencies.values()]
        return Latencies(list(self.latencies), values, batch)

    def rows(self, unit: Unit) -> list[Row]:
        """Return a row a block: imported, so without sessions or an interval."""
        return [
            Row(block, verdict="imported", latency_ms=unit.ms * median(values))
            for block, values in self.latencies.items()
        ]
