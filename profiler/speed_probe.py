"""How restless a machine is: a fixed loop timed for a few seconds, and what ran meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..backends.machine.core_seconds import CoreSeconds
from .sampling.clock import Clock

SECONDS = 3.0
# The 90th percentile over the 10th. Quiet machines stay below 1.03, a table's reference on a
# restless one reached 1.4.
RESTLESS = 1.1
# Cores that other programs kept busy, and that the host of a virtual machine took.
MOST_BUSY = 0.3
MOST_STOLEN = 0.02
_MOST_RUNS = 100_000


def fixed_loop() -> None:
    """Compute for about two milliseconds, in registers and the nearest cache."""
    total = 0
    for number in range(30_000):
        total += number * number
    assert total > 0


@dataclass(frozen=True)
class SpeedProbe:
    """What the loop took, in ms, and how many cores others had meanwhile (None: unknown)."""

    seconds: float
    runs: int
    p10_ms: float
    median_ms: float
    p90_ms: float
    others_busy: float | None = None
    stolen: float | None = None

    @property
    def wander(self) -> float:
        """How far the 90th percentile lies above the 10th, as a share of it."""
        return self.p90_ms / self.p10_ms - 1 if self.p10_ms > 0 else 0.0

    def hazards(self) -> list[str]:
        """Return a sentence "cause; remedy" for each thing that was seen to hurt."""
        found = []
        if self.others_busy is not None and self.others_busy > MOST_BUSY:
            found.append(
                f"other programs keep {self.others_busy:.1f} cores busy now; stop them, or wait "
                "until they are done"
            )
        if self.stolen is not None and self.stolen > MOST_STOLEN:
            found.append(
                f"the host of this virtual machine takes {self.stolen:.2f} cores away now; measure "
                "at another hour, or on a machine of its own"
            )
        if self.wander > RESTLESS - 1:
            found.append(
                f"the machine's speed wanders: a fixed loop takes {self.wander:.0%} longer at its "
                "slow tenth than at its fast one; let measure take more sessions, and judge its "
                "table by the error it states"
            )
        return found

    def as_dict(self) -> dict[str, float | int | None]:
        return {
            "seconds": self.seconds,
            "runs": self.runs,
            "p10_ms": self.p10_ms,
            "median_ms": self.median_ms,
            "p90_ms": self.p90_ms,
            "wander": self.wander,
            "others_busy": self.others_busy,
            "stolen": self.stolen,
        }


def probe_speed(
    clock: Clock,
    seconds: float = SECONDS,
    loop: Callable[[], None] = fixed_loop,
    core_seconds: Callable[[], CoreSeconds | None] = CoreSeconds.now,
) -> SpeedProbe:
    """Run the loop for so many seconds of the clock, at least ten times."""
    before, cpu = core_seconds(), clock.cpu()
    started = clock.wall()
    times: list[float] = []
    while len(times) < 10 or (clock.wall() - started < seconds * 1e9 and len(times) < _MOST_RUNS):
        began = clock.wall()
        loop()
        times.append((clock.wall() - began) / 1e6)
    took = (clock.wall() - started) / 1e9
    own, after = (clock.cpu() - cpu) / 1e9, core_seconds()
    times.sort()
    busy = stolen = None
    if before is not None and after is not None and took > 0:
        busy = max(after.busy - before.busy - own, 0.0) / took
        stolen = (after.stolen - before.stolen) / took
    return SpeedProbe(
        took, len(times), _at(times, 0.1), _at(times, 0.5), _at(times, 0.9), busy, stolen
    )


def _at(ordered: list[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]
