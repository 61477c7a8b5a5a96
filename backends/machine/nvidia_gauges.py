"""Clock, temperature and energy of an NVIDIA GPU, read from its driver between timed windows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from .nvidia_clocks import first_gpu


class NvidiaGauges:
    """What the driver tells of one GPU; the driver's library stays open as long as the process."""

    def __init__(self, nvml: Any, gpu: Any) -> None:
        self._nvml = nvml
        self._gpu = gpu

    @classmethod
    def open(cls) -> NvidiaGauges | str:
        """Return the gauges of the GPU that CUDA calls 0, or in words why there are none."""
        try:
            import pynvml
        except ImportError:
            return "the package nvidia-ml-py is not installed (pip install 'vitprof[cuda]')"
        try:
            pynvml.nvmlInit()
            return cls(pynvml, first_gpu(pynvml))
        except pynvml.NVMLError as error:
            return f"NVIDIA's driver does not answer ({error})"

    def mhz(self) -> float | None:
        """Return the clock of the multiprocessors."""
        nvml = self._nvml
        return self._asked(lambda: nvml.nvmlDeviceGetClockInfo(self._gpu, nvml.NVML_CLOCK_SM))

    def celsius(self) -> float | None:
        nvml = self._nvml
        kind = nvml.NVML_TEMPERATURE_GPU
        return self._asked(lambda: nvml.nvmlDeviceGetTemperature(self._gpu, kind))

    def joules(self) -> float | None:
        """Return the energy since the driver was loaded; GPUs before Volta do not count it."""
        spent = self._asked(lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._gpu))
        return None if spent is None else spent / 1e3

    def _asked(self, ask: Callable[[], Any]) -> float | None:
        with contextlib.suppress(self._nvml.NVMLError):
            return float(ask())
        return None
