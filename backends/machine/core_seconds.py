"""How busy the machine's cores are, and how much of them a virtual machine's host takes away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .cpu_info import SYSTEM_ROOT
from .linux_cpu import read_text

# Of /proc/stat; the kernel's own tick may be another.
_TICKS_PER_SECOND = 100


@dataclass(frozen=True)
class CoreSeconds:
    """Seconds of all cores since the machine was started: that they computed, and were taken."""

    busy: float
    stolen: float

    @classmethod
    def now(cls, root: Path = SYSTEM_ROOT) -> CoreSeconds | None:
        """Return them as Linux counts them; None where it cannot be read, as on macOS."""
        first = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
        if len(first) < 9 or first[0] != "cpu" or not all(one.isdecimal() for one in first[1:9]):
            return None
        user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, first[1:9])
        busy = user + nice + system + irq + softirq
        return cls(busy / _TICKS_PER_SECOND, steal / _TICKS_PER_SECOND)
