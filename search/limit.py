"""One limit of what a model may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..quantities import Quantity, bytes_of, count, latency_ms

MEBI = 2**20
_AMOUNTS: dict[str, Callable[[Quantity], float]] = {
    "ms": latency_ms,
    "params": count,
    "macs": count,
    "bytes": bytes_of,
}


@dataclass(frozen=True)
class Limit:
    """At most `most` of a cost; what it is of: "ms" by table number `table`, or another unit."""

    unit: str
    most: float
    table: int = 0

    @classmethod
    def of(cls, unit: str, amount: Quantity, table: int = 0) -> Limit:
        """Return the limit that "10ms", "1.8M", "64MiB" or a number says; UserError otherwise."""
        return cls(unit, _AMOUNTS[unit](amount), table)

    def in_words(self, cost: float | None = None) -> str:
        """Return an amount of what is limited, the limit itself unless given: "9.8 ms"."""
        value = self.most if cost is None else cost
        if self.unit == "ms":
            return f"{value:.4g} ms"
        if self.unit == "bytes":
            return f"{value / MEBI:.4g} MiB of memory"
        factor, prefix = next(
            (f, p)
            for f, p in ((1e9, " G"), (1e6, " M"), (1e3, " k"), (1, ""))
            if value >= f or f == 1
        )
        words = {"params": "parameters", "macs": "MACs"}
        return f"{value / factor:.4g}{prefix} {words[self.unit]}"
