"""What is asked of a deployment: limits, and by how much figures keep or miss them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

# What a figure is counted in, for people.
MEBI = 2**20


@dataclass(frozen=True)
class Figures:
    """What a deployment comes to. accuracy: from 0 to 1; times and energy: of one image.

    latency_ms: the figure that is limited, a median or a 99th percentile; energy_mj: None where it
    was not measured.
    """

    accuracy: float
    latency_ms: float
    memory_bytes: float
    file_bytes: float
    energy_mj: float | None = None


@dataclass(frozen=True)
class Limits:
    """At most so much of each figure, and at least so much accuracy; None for no limit."""

    latency_ms: float | None = None
    memory_bytes: float | None = None
    file_bytes: float | None = None
    energy_mj: float | None = None
    accuracy: float | None = None

    def given(self) -> Iterator[tuple[str, float]]:
        """Yield the limits there are, by figure."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                yield field.name, value

    def excess(self, figures: Figures) -> dict[str, float]:
        """Return by what share of it each limit is missed that is not kept."""
        found = {}
        for name, limit in self.given():
            value = getattr(figures, name)
            if value is None:
                continue
            missed = 1 - value / limit if name == "accuracy" else value / limit - 1
            if missed > 0:
                found[name] = missed
        return found


_UNITS = {
    "latency_ms": ("ms", 1.0),
    "memory_bytes": ("MiB of memory", MEBI),
    "file_bytes": ("MiB on disk", MEBI),
    "energy_mj": ("mJ", 1.0),
    "accuracy": ("% accuracy", 0.01),
}
# By figure: the parameter that limits it.
PARAMETERS = {
    "latency_ms": "max_latency",
    "memory_bytes": "max_memory",
    "file_bytes": "max_size",
    "energy_mj": "max_energy",
    "accuracy": "min_accuracy",
}


def in_words(figure: str, value: float) -> str:
    """Return "2.41 ms", "12.3 MiB on disk", "91.2 % accuracy"."""
    unit, size = _UNITS[figure]
    return f"{value / size:.4g} {unit}"
