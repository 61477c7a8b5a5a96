"""The run itself: one executable again and again, kept as intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ...backends import BackendError
from ...errors import UserError
from ...progress import OnProgress, no_progress
from ..sampling.clock import Clock
from ..sampling.no_garbage_collection import no_garbage_collection
from ..sampling.timed_run import Runnable, timed_run
from .interval import Interval, OpenInterval, interval_seconds
from .sensors import Sensors

STAGE = "running, s"


@dataclass
class Trace:
    """What a run without pause showed.

    `first_ms` is the session's first run; the `intervals` hold all others, the warm ones.
    `working_s` are the seconds within warm runs. `joules` are of all warm runs together, None where
    unknown. `throttled` is how often the hardware reported that it throttled, None where it
    does not say; `held_back` are the second and the driver's words of the first time.
    """

    first_ms: float
    intervals: list[Interval] = field(default_factory=list)
    working_s: float = 0.0
    joules: float | None = None
    throttled: int | None = None
    held_back: tuple[float, str] | None = None
    interrupted: bool = False

    @property
    def seconds(self) -> float:
        return self.intervals[-1].end_s if self.intervals else 0.0

    @property
    def runs(self) -> int:
        """How many warm runs there were."""
        return sum(one.runs for one in self.intervals)

    @property
    def set_aside(self) -> int:
        """How many of them other work interrupted."""
        return sum(one.set_aside for one in self.intervals)


def run_without_pause(
    executable: Runnable,
    seconds: float,
    clock: Clock,
    sensors: Sensors,
    *,
    threads: int = 1,
    trouble: Callable[[], str | None] = lambda: None,
    on_progress: OnProgress = no_progress,
) -> Trace:
    """Run `executable` for so many seconds after its first run, at least once more.

    Sensors are read between runs, at the end of each interval; `trouble` then tells what has held
    the device back since it was last asked. An interruption (Ctrl-C) ends the run early; what was
    seen until then is returned. Raises BackendError where it cannot be run, and UserError for a
    clock that goes backwards.
    """
    with no_garbage_collection():
        first = timed_run(executable, clock)
        trouble()  # what was before does not matter
        recorder = _Recorder(Trace(first.wall_ms), clock, sensors, trouble)
        try:
            _fill(recorder, executable, seconds, threads, on_progress)
        except KeyboardInterrupt:
            recorder.trace.interrupted = True
        except BackendError as error:
            if not recorder.trace.intervals:
                raise
            after = recorder.trace.seconds
            raise BackendError(f"it ran for {after:.0f} s, then: {error}") from error
        recorder.close()
    return recorder.trace


def _fill(
    recorder: _Recorder,
    executable: Runnable,
    seconds: float,
    threads: int,
    on_progress: OnProgress,
) -> None:
    total, each_s = max(1, math.ceil(seconds)), interval_seconds(seconds)
    end_s = 0.0
    on_progress(STAGE, 0, total, "")
    while end_s < seconds:
        sample = timed_run(executable, recorder.clock)
        recorder.trace.working_s += sample.wall_ms / 1e3
        recorder.open.add(sample, threads)
        end_s = recorder.now_s()
        if end_s >= min(recorder.open.start_s + each_s, seconds):
            recorder.close()
            on_progress(STAGE, min(int(end_s), total), total, _in_words(recorder.trace))
    on_progress(STAGE, total, total, _in_words(recorder.trace))


class _Recorder:
    """Closes intervals: reads the sensors, and what has been spent since the last time."""

    def __init__(
        self, trace: Trace, clock: Clock, sensors: Sensors, trouble: Callable[[], str | None]
    ) -> None:
        self.trace = trace
        self.clock = clock
        self._sensors = sensors
        self._trouble = trouble
        self._joules_at_first = self._joules = sensors.energy.read()
        self._throttled_at_first = sensors.throttled.read()
        self._began = self._latest = clock.wall()
        self.open = OpenInterval(0.0)

    def now_s(self) -> float:
        """Return the seconds since the first warm run began."""
        now = self.clock.wall()
        if now < self._latest:
            raise UserError(
                "the system's clock went backwards while the model was running, so nothing can be "
                "said about its latency; measure on a machine whose clock is steady."
            )
        self._latest = now
        return (now - self._began) / 1e9

    def close(self) -> None:
        """End the open interval, if it has a run, and begin the next one."""
        if not self.open.runs:
            return
        end_s, sensors, trace = self.now_s(), self._sensors, self.trace
        joules = sensors.energy.read()
        spent = _difference(joules, self._joules)
        interval = self.open.close(end_s, sensors.clock.read(), sensors.temperature.read(), spent)
        trace.intervals.append(interval)
        trace.joules = _difference(joules, self._joules_at_first)
        throttled = _difference(sensors.throttled.read(), self._throttled_at_first)
        trace.throttled = None if throttled is None else int(throttled)
        if (trouble := self._trouble()) and trace.held_back is None:
            trace.held_back = (end_s, trouble)
        self._joules = joules
        self.open = OpenInterval(end_s)


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


def _in_words(trace: Trace) -> str:
    if not trace.intervals:
        return ""
    latest = trace.intervals[-1]
    words = f"{latest.median_ms:.4g} ms"
    words += "" if latest.mhz is None else f", {latest.mhz:.0f} MHz"
    return words if latest.celsius is None else f"{words}, {latest.celsius:.0f} °C"
