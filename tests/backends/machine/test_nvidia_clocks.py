"""What held a GPU back, with the driver's library played by a stand-in: there is no GPU here."""

# The names are those of the driver's library.
# ruff: noqa: N802, N815

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from vitprof.backends.machine.nvidia_clocks import ThrottleWatch, throttling


class NVMLError(Exception):
    pass


@dataclass
class StandIn:
    """The part of pynvml that is asked, with counters that the test moves."""

    thermal_ns: int = 0
    reliability_ns: int | None = 0
    reasons: int = 0
    driver: bool = True
    asked: int = 0
    shut: int = 0
    NVMLError: type[Exception] = NVMLError
    NVML_PERF_POLICY_THERMAL: str = "thermal"
    NVML_PERF_POLICY_RELIABILITY: str = "reliability"
    nvmlClocksThrottleReasonHwThermalSlowdown: int = 0x40
    nvmlClocksThrottleReasonSwThermalSlowdown: int = 0x20
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown: int = 0x80
    counters: dict[str, str] = field(default_factory=dict)

    def nvmlInit(self) -> None:
        self.asked += 1
        if not self.driver:
            raise NVMLError("no driver")

    def nvmlShutdown(self) -> None:
        self.shut += 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetViolationStatus(self, gpu: int, policy: str) -> SimpleNamespace:
        held = self.thermal_ns if policy == "thermal" else self.reliability_ns
        if held is None:
            raise NVMLError("not supported")
        return SimpleNamespace(violationTime=held)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu: int) -> int:
        return self.reasons


@pytest.fixture
def nvml(monkeypatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "pynvml", stand_in)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    return stand_in


def test_only_what_was_counted_since_the_last_asking_counts(nvml: StandIn) -> None:
    nvml.thermal_ns = 5_000_000
    watch = ThrottleWatch()
    assert watch.since_last() is None  # from before anything was timed
    assert watch.since_last() is None
    nvml.thermal_ns += 1
    assert watch.since_last() == "the GPU was held back by heat"
    assert watch.since_last() is None
    assert nvml.shut == nvml.asked == 4


def test_several_causes_are_all_named(nvml: StandIn) -> None:
    watch = ThrottleWatch()
    watch.since_last()
    nvml.thermal_ns = nvml.reliability_ns = 9
    nvml.reasons = 0x40
    words = watch.since_last() or ""
    assert "heat" in words
    assert "heat (hardware)" in words
    assert "reliability" in words


def test_a_gpu_that_does_not_count_a_policy_is_asked_for_the_others(nvml: StandIn) -> None:
    nvml.reliability_ns = None
    watch = ThrottleWatch()
    watch.since_last()
    nvml.thermal_ns = 1
    assert watch.since_last() == "the GPU was held back by heat"


@pytest.mark.parametrize("reasons", [0x0, 0x1, 0x2, 0x4, 0x10])
def test_idleness_power_cap_and_application_clocks_are_no_trouble(
    nvml: StandIn, reasons: int
) -> None:
    nvml.reasons = reasons
    assert ThrottleWatch().since_last() is None


def test_without_driver_or_package_nothing_is_known(nvml: StandIn, monkeypatch) -> None:
    nvml.driver = False
    assert ThrottleWatch().since_last() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert ThrottleWatch().since_last() is None
    assert throttling() is None
