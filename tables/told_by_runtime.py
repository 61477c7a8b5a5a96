"""What rows tell of how they ran: busy cores, the precision computed in, a delegate's share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .row import Row
from .setting import Setting

# Beyond this share of the threads, more of them ran than were asked for.
MOST_CORES_PER_THREAD = 1.05


@dataclass(frozen=True)
class ToldByRuntime:
    """The middle of what rows tell; None and {} where none tells it.

    cores: that were busy, the middling row. threads: that were asked for. above: how many rows had
    more cores busy than that. precisions: how many rows were computed in which. delegated: the
    least, the middling and the greatest share of a row's operators.
    """

    cores: float | None
    threads: int
    above: int
    precisions: dict[str, int]
    delegated: tuple[float, float, float] | None
    dtype: str

    @classmethod
    def of(cls, rows: Sequence[Row], setting: Setting) -> ToldByRuntime:
        """Return what the rows tell that did not fail."""
        measured = [row for row in rows if row.verdict != "failed"]
        cores = sorted(row.cores for row in measured if row.cores is not None)
        shares = sorted(row.delegated for row in measured if row.delegated is not None)
        most = setting.threads * MOST_CORES_PER_THREAD
        return cls(
            cores[len(cores) // 2] if cores else None,
            setting.threads,
            sum(one > most for one in cores),
            dict(Counter(row.effective_dtype for row in measured if row.effective_dtype)),
            (shares[0], shares[len(shares) // 2], shares[-1]) if shares else None,
            setting.dtype,
        )

    def report(self) -> dict[str, Any]:
        """Return it as JSON values."""
        least, middle, most = self.delegated or (None, None, None)
        return {
            "cores": self.cores,
            "rows_above_threads": self.above,
            "effective_dtype": self.precisions,
            "delegated": None
            if self.delegated is None
            else {"least": least, "middle": middle, "most": most},
        }

    def sentences(self) -> list[str]:
        """Return sentences about it: none where it ran as it was asked to."""
        sentences = []
        if self.above:
            sentences.append(
                f"{self.above} rows kept more cores busy than `threads` {self.threads}: "
                f"{self.cores:.2f} in the middle (column cores)."
            )
        if set(self.precisions) - {self.dtype}:
            counted = ", ".join(f"{name} ({count} rows)" for name, count in self.precisions.items())
            sentences.append(f"computed in {counted}, asked for in {self.dtype}.")
        if self.delegated is not None:
            least, middle, most = self.delegated
            sentences.append(
                f"a delegate runs {least:.0%} to {most:.0%} of the operators, {middle:.0%} in the "
                "middle (column delegated)."
            )
        return sentences
