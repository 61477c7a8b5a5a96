"""The points to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..models import Block, Spec
from ..tables.row import Context


@dataclass(frozen=True)
class Point:
    """One thing to measure: a Block in a context, or a whole model (a Spec)."""

    subject: Block | Spec
    context: Context = "alone"

    @property
    def key(self) -> tuple[object, str]:
        """The key of the row that this point becomes."""
        return (self.subject, self.context)

    def __str__(self) -> str:
        if isinstance(self.subject, Block):
            return str(self.subject)
        return f"model {self.subject.name}"


@dataclass(frozen=True)
class Plan:
    """The points a table needs, each once, in the order of its rows."""

    points: Sequence[Point]

    @classmethod
    def of_blocks(cls, blocks: Sequence[Block], context: Context = "alone") -> Plan:
        return cls([Point(block, context) for block in dict.fromkeys(blocks)])
