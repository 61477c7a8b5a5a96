"""Clock, temperature and energy of an NVIDIA GPU, as its driver tells them between runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...backends.machine.nvidia_gauges import NvidiaGauges
from .sensors import Sensors, Untold


@dataclass(frozen=True)
class NvidiaGauge:
    """One value of a GPU."""

    source: str
    ask: Callable[[], float | None]

    def read(self) -> float | None:
        return self.ask()


def nvidia_sensors() -> Sensors:
    """Return what the driver tells of the GPU that a runtime takes; throttling it tells itself."""
    gpu = NvidiaGauges.open()
    if isinstance(gpu, str):
        untold = Untold(gpu)
        return Sensors(untold, untold, untold, untold)
    energy = NvidiaGauge("NVML, the whole GPU", gpu.joules)
    return Sensors(
        NvidiaGauge("NVML, the multiprocessors", gpu.mhz),
        NvidiaGauge("NVML, the GPU", gpu.celsius),
        energy if gpu.joules() is not None else Untold("this GPU does not count its energy"),
        Untold("the driver is asked what held the GPU back"),
    )
