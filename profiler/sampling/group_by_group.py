"""One measurement whose groups its caller chooses, so that it can stop anywhere and go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..journal import MemoryJournal
from ..plan import Point
from ..workshop import Workshop
from .passes import Passes


@dataclass
class GroupByGroup(Passes):
    """Measures a group of points at a time; `journal` holds all their sessions so far."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def measure(self, group: Sequence[Point], workshop: Workshop) -> None:
        """Give every point of the group one more session."""
        self._measure_group(group, self.journal, workshop)

    def has_failed(self, point: Point) -> bool:
        """Tell whether the point could not be compiled or run."""
        done = self.journal.done.get(point.key)
        return done is not None and done.verdict == "failed"
