"""A GPU's clock, temperature and energy, with the driver's library played by a stand-in."""

# The names are those of the driver's library.
# ruff: noqa: N802

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest
from vitprof.backends.machine.nvidia_gauges import NvidiaGauges
from vitprof.profiler.sustained.nvidia_sensors import nvidia_sensors


class NVMLError(Exception):
    pass


@dataclass
class StandIn:
    """The part of pynvml that is asked; None is what this GPU or driver does not tell."""

    mhz: int | None = 1980
    celsius: int | None = 64
    millijoules: int | None = 5_000
    driver: bool = True
    NVMLError: type[Exception] = NVMLError
    NVML_CLOCK_SM: int = 1
    NVML_TEMPERATURE_GPU: int = 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise NVMLError("no driver")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    @staticmethod
    def _known(value: int | None) -> int:
        if value is None:
            raise NVMLError("Not Supported")
        return value

    def nvmlDeviceGetClockInfo(self, gpu: int, kind: int) -> int:
        assert kind == self.NVML_CLOCK_SM
        return self._known(self.mhz)

    def nvmlDeviceGetTemperature(self, gpu: int, kind: int) -> int:
        assert kind == self.NVML_TEMPERATURE_GPU
        return self._known(self.celsius)

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: int) -> int:
        return self._known(self.millijoules)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "pynvml", stand_in)
    return stand_in


def test_the_drivers_values_are_in_our_units(nvml: StandIn) -> None:
    gpu = NvidiaGauges.open()
    assert isinstance(gpu, NvidiaGauges)
    assert (gpu.mhz(), gpu.celsius(), gpu.joules()) == (1980, 64, 5.0)
    nvml.mhz, nvml.celsius, nvml.millijoules = None, None, None
    assert (gpu.mhz(), gpu.celsius(), gpu.joules()) == (None, None, None)


def test_sensors_of_a_gpu(nvml: StandIn) -> None:
    sensors = nvidia_sensors()
    assert sensors.clock.read() == 1980
    assert sensors.temperature.read() == 64
    before = sensors.energy.read()
    nvml.millijoules = 7_500
    assert (before, sensors.energy.read()) == (5.0, 7.5)
    assert "NVML" in sensors.energy.source


def test_a_gpu_that_does_not_count_energy_says_so(nvml: StandIn) -> None:
    nvml.millijoules = None
    sensors = nvidia_sensors()
    assert sensors.energy.read() is None
    assert "does not count its energy" in sensors.energy.source


@pytest.mark.parametrize(("driver", "words"), [(False, "no driver"), (None, "nvidia-ml-py")])
def test_without_a_driver_or_its_library_nothing_is_told(
    driver: bool | None, words: str, nvml: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.driver = bool(driver)
    if driver is None:
        monkeypatch.setitem(sys.modules, "pynvml", None)
    sensors = nvidia_sensors()
    for gauge in (sensors.clock, sensors.temperature, sensors.energy, sensors.throttled):
        assert gauge.read() is None
        assert words in gauge.source
