"""How restless the machine was while a table was measured, and what that cost in time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .header import TableHeader

# A quiet machine's 90th percentile lies within so much of its undisturbed (or typical) speed.
QUIET = 0.05


@dataclass(frozen=True)
class Unrest:
    """The 10th and 90th percentile of a reference's times, as multiples of the undisturbed one.

    Where a table does not know that one (`of_undisturbed` False), of the median. `cost_s` is how
    much longer measuring took than on the undisturbed machine; None where it is not known.
    """

    p10: float
    p90: float
    of_undisturbed: bool
    cost_s: float | None = None

    @property
    def is_quiet(self) -> bool:
        return self.p90 - min(self.p10, 1.0) <= QUIET

    def report(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, header: TableHeader) -> Unrest | None:
        """Return what the blocks' reference showed; None where a table has none."""
        showed = header.of_blocks
        if showed.drift is None:
            return None
        fast = showed.drift.undisturbed_ms
        unit = fast or showed.drift.typical_ms
        cost = None
        total = (header.seconds or {}).get("total")
        if fast and showed.histogram and total:
            cost = total * max(1 - fast / showed.histogram.mean_ms, 0.0)
        return cls(showed.drift.p10_ms / unit, showed.drift.p90_ms / unit, fast is not None, cost)
