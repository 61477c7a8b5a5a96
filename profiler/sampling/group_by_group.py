"""One measurement whose groups its caller chooses, so that it can stop anywhere and go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..journal import MemoryJournal
from ..plan import Point
from ..workshop import Workshop
from .passes import Passes
from .sampler import groups_of


@dataclass
class GroupByGroup(Passes):
    """Measures a group of points at a time; `journal` holds all their sessions so far."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)

    @contextmanager
    def opened(self, points: Sequence[Point], workshop: Workshop) -> Iterator[None]:
        """Keep a session of each reference of the points open inside the block."""
        try:
            for reference in dict.fromkeys(self.references.of(point.subject) for point in points):
                self._open_reference(reference, workshop)
            yield
        finally:
            for executable in self._open.values():
                executable.close()
            self._open.clear()

    def groups(self, points: Sequence[Point], size: int) -> list[list[Point]]:
        """Return groups of at most `size` points that have one reference.

        Each group is spread over the order of the points.
        """
        return [group for alike in self._by_reference(points) for group in groups_of(alike, size)]

    def shuffled_groups(self, points: Sequence[Point]) -> list[list[Point]]:
        """Return groups of the protocol's size, of points in random order."""
        order = list(points)
        self._rng.shuffle(order)
        groups = self.groups(order, self.protocol.group)
        self._rng.shuffle(groups)
        return groups

    def measure(self, group: Sequence[Point], workshop: Workshop) -> None:
        """Give every point of the group one more session."""
        self._measure_group(group, self.journal, workshop)

    def has_failed(self, point: Point) -> bool:
        """Tell whether the point could not be compiled or run."""
        done = self.journal.done.get(point.key)
        return done is not None and done.verdict == "failed"
