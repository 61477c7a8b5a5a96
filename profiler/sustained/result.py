"""What a run without pause showed, as the verb returns it and as a folder holds it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...atomic_write import made_folder, write_atomically
from ...models import Spec
from ...results import Result, plain
from ...tables import Setting
from ..deployed.footprint import Footprint
from .loop import Trace
from .sensors import Sensors, Untold
from .throttling import FEWEST_INTERVALS, Throttling, find_throttling

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

UNMEASURABLE = "unmeasurable"


@dataclass(frozen=True)
class Sources:
    """What clock, temperature and energy were read from, or in words why they could not be."""

    clock: str
    temperature: str
    energy: str

    @classmethod
    def of(cls, sensors: Sensors, trace: Trace) -> Sources:
        energy = sensors.energy.source
        if not isinstance(sensors.energy, Untold):
            if trace.joules is None:
                energy += ": it could not be read until the end"
            elif trace.joules <= 0:
                energy += ": it did not count"
        return cls(sensors.clock.source, sensors.temperature.source, energy)


@dataclass(frozen=True)
class SustainedResult(Result):
    """One model run without pause: what it took over time, in ms of one run of its batch."""

    spec: Spec
    setting: Setting
    trace: Trace
    footprint: Footprint
    sources: Sources
    asked_s: float

    @property
    def title(self) -> str:
        """What was run where, and for how long."""
        from ...tables.picture import threads_in_words

        one = self.setting
        return (
            f"{self.spec.name or 'the model'} on {one.device} ({one.backend}, {one.dtype}, batch "
            f"{one.batch}, {threads_in_words(one.threads)}), {self.trace.seconds:.0f} s without "
            "pause"
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether other work interrupted most runs."""
        return 2 * self.trace.set_aside > self.trace.runs

    @cached_property
    def throttling(self) -> Throttling | None:
        """When the run became slower for good and by how much; None if it did not.

        None too where other work interrupted most runs: their times are of that work, not of heat.
        """
        if self.is_doubtful:
            return None
        return find_throttling([one.median_ms for one in self.trace.intervals])

    @property
    def throttling_begins_s(self) -> float | None:
        """Seconds from the first warm run until throttling began."""
        found = self.throttling
        return None if found is None else self.trace.intervals[found.begins_at].start_s

    @property
    def warm_ms(self) -> np.ndarray:
        """The medians of the intervals, in order."""
        import numpy as np

        return np.array([one.median_ms for one in self.trace.intervals])

    @property
    def fast_ms(self) -> float:
        """The latency before throttling began; without throttling, that of all warm runs."""
        import numpy as np

        found = self.throttling
        return float(np.median(self.warm_ms)) if found is None else found.fast_ms

    @property
    def steady_ms(self) -> float:
        """The latency that the run came to; without throttling, that of all warm runs."""
        return self.fast_ms if self.throttling is None else self.throttling.steady_ms

    @property
    def energy_per_run_j(self) -> float | None:
        """Joules of a warm run; None where no counter tells."""
        spent = self.trace.joules
        # A counter that stands still counts nothing: no run takes no energy.
        return spent / self.trace.runs if spent is not None and spent > 0 else None

    @property
    def throttling_in_words(self) -> str:
        """What is known of throttling, in one sentence."""
        trace, found = self.trace, self.throttling
        if len(trace.intervals) < FEWEST_INTERVALS:
            return "not judged: the run was too short"
        if self.is_doubtful:
            return "not judged: other work interrupted most runs"
        if found is None:
            return "none: the latency did not rise for good"
        words = (
            f"begins after {self.throttling_begins_s:.1f} s: from {found.fast_ms:.4g} to "
            f"{found.steady_ms:.4g} ms (+{100 * found.rise:.1f}%)"
        )
        words += "" if found.settled else ", not settled at the end"
        clocks = self._clocks(found)
        if clocks:
            words += f"; the clock from {clocks[0]:.0f} to {clocks[1]:.0f} MHz"
        elif not trace.throttled and trace.held_back is None:
            words += "; only the latency says so: other work may be the cause as well as heat"
        return words

    def _clocks(self, found: Throttling) -> tuple[float, float] | None:
        """Return the typical clock before throttling began and in the run's second half after."""
        import numpy as np

        every = self.trace.intervals
        settled = (found.begins_at + len(every)) // 2
        parts = (every[: found.begins_at], every[settled:])
        clocks = [[one.mhz for one in part if one.mhz is not None] for part in parts]
        if not all(clocks):
            return None
        return float(np.median(clocks[0])), float(np.median(clocks[1]))

    def report(self) -> dict[str, Any]:
        """Return the figures, and the intervals; what no counter tells is "unmeasurable"."""
        import numpy as np

        trace, found, memory = self.trace, self.throttling, self.footprint.memory
        p10, p90 = np.percentile(self.warm_ms, [10, 90])
        energy = self.energy_per_run_j
        return {
            "model": self.spec.name,
            "setting": self.setting.as_dict(),
            "asked_s": self.asked_s,
            "seconds": trace.seconds,
            "interrupted": trace.interrupted,
            "runs": trace.runs,
            "set_aside": trace.set_aside,
            "working_share": trace.working_s / trace.seconds,
            "load_ms": self.footprint.load_ms,
            "peak_bytes": memory.peak_bytes,
            "model_bytes": memory.of_model_bytes,
            "first_ms": trace.first_ms,
            "fast_ms": self.fast_ms,
            "steady_ms": self.steady_ms,
            "p10_ms": float(p10),
            "p90_ms": float(p90),
            "images_per_s": self.setting.batch * trace.runs / trace.seconds,
            "throttling": None
            if found is None
            else {
                "begins_s": self.throttling_begins_s,
                "rise": found.rise,
                "settled": found.settled,
            },
            "throttling_in_words": self.throttling_in_words,
            "throttle_count": trace.throttled,
            "held_back": None
            if trace.held_back is None
            else {"after_s": trace.held_back[0], "by": trace.held_back[1]},
            "clock": self.sources.clock,
            "temperature": self.sources.temperature,
            "energy_per_run_j": UNMEASURABLE if energy is None else energy,
            "energy": self.sources.energy,
            "intervals": [asdict(one) for one in trace.intervals],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line an interval, with load time and peak memory, which are of all."""
        import pandas as pd

        frame = pd.DataFrame([asdict(one) for one in self.trace.intervals])
        frame = frame.astype({"mhz": float, "celsius": float, "joules": float})
        memory = self.footprint.memory
        return frame.assign(
            load_ms=self.footprint.load_ms,
            peak_bytes=memory.peak_bytes,
            model_bytes=memory.of_model_bytes,
        )

    def figure(self) -> Figure:
        """Return latency over time; below it clock, temperature and power where they are known."""
        from .plot import draw_sustained

        return draw_sustained(self)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write sustained.csv, sustained.png and report.json; UserError where it cannot be."""
        place = made_folder(folder)
        csv = self.to_frame().to_csv(index=False, lineterminator="\n", float_format="%.6g")
        write_atomically(place / "sustained.csv", csv)
        self.plot(place / "sustained.png")
        report = plain(self.report() | {"out": str(folder)})
        write_atomically(place / "report.json", json.dumps(report, indent=2) + "\n")
