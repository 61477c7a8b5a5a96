"""One timed run, and what it shows of the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, TypeGuard

from ...backends import DeviceTimed
from .clock import Clock


class Runnable(Protocol):
    """The part of `backends.Executable` that sampling needs."""

    def run(self) -> None: ...


class OpenSession(Runnable, Protocol):
    """What can be run and is closed in the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True)
class Sample:
    """One timed run: wall and CPU milliseconds, and involuntary context switches during it.

    `middle_ns` is the wall clock halfway through it. `reference_ms` is what the reference took just
    then, by its readings before and after (0 without a reference), and `reading_gap` how far the
    two lie apart: |ln(after / before)|. `by_device`: the device's own clock gave the time, and
    `cpu_ms` is that time too.
    """

    wall_ms: float
    cpu_ms: float
    preemptions: int
    middle_ns: int = field(default=0, compare=False)
    reference_ms: float = 0.0
    reading_gap: float = 0.0
    by_device: bool = False

    def disturbed(self, threads: int = 1) -> bool:
        """Tell whether the run waited for the machine rather than computed.

        Wall time 20 % (and 50 us) beyond CPU time means the run stood still. So does an involuntary
        switch, but for one that cost less than 2 % (and 20 us): a run of 100 ms outlives several.
        With several threads CPU time adds up over them and proves nothing, so there every switch
        counts.
        """
        if self.wall_ms < 0:  # a clock that went back
            return True
        if threads > 1:
            return self.preemptions > 0
        waited = self.wall_ms - self.cpu_ms
        if self.preemptions > 0:
            return waited > 0.02 * self.cpu_ms + 0.02
        return waited > 0.2 * self.cpu_ms + 0.05


class TimesItself(Protocol):
    """A Runnable in another process, whose clocks are the ones that count."""

    def timed(self) -> Sample:
        """Run once; return the sample as that process took it."""


@dataclass
class TimeSpent:
    """Seconds inside warm-up runs and timed runs."""

    warmup_s: float = 0.0
    timed_s: float = 0.0


# isinstance with a Protocol takes 10 % of the time that a small block is measured; these take none.
def _times_itself(executable: Runnable) -> TypeGuard[TimesItself]:
    return hasattr(executable, "timed")


def _device_timed(executable: Runnable) -> TypeGuard[DeviceTimed]:
    return hasattr(executable, "device_ms")


def timed_run(executable: Runnable, clock: Clock) -> Sample:
    """Run once, by the device's own clock where it has one, and its process's where it has one."""
    if _times_itself(executable):
        return executable.timed()
    preemptions = clock.preemptions()
    cpu = clock.cpu()
    started = clock.wall()
    executable.run()
    wall = clock.wall() - started
    cpu = clock.cpu() - cpu
    preemptions = clock.preemptions() - preemptions
    if _device_timed(executable):
        # The device's clock ran only while the device worked: what the host waited is not in it.
        ms = executable.device_ms()
        return Sample(ms, ms, preemptions, started + wall // 2, by_device=True)
    return Sample(wall / 1e6, cpu / 1e6, preemptions, started + wall // 2)
