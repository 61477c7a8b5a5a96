"""Which sensors a device is read by."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from vitprof.profiler.sustained.sensors import cpu_sensors, sensors_of
from vitprof.profiler.target import Target
from vitprof.tables import Setting


def test_linux_is_read_below_the_given_root(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("51000\n")
    if platform.system() == "Linux":
        assert cpu_sensors(tmp_path).temperature.read() == 51


def test_a_system_that_tells_nothing_has_a_reason_for_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    sensors = cpu_sensors(tmp_path)
    for gauge in (sensors.clock, sensors.temperature, sensors.energy, sensors.throttled):
        assert gauge.read() is None
        assert "Darwin" in gauge.source


@pytest.mark.parametrize(
    ("setting", "gpu"),
    [
        (Setting("cpu", "onnxruntime", "CPUExecutionProvider"), False),
        (Setting("cpu", "onnxruntime", "CUDAExecutionProvider"), True),
        (Setting("h100", "cuda", "eager"), True),
    ],
)
def test_a_gpu_is_read_by_its_driver(
    setting: Setting, gpu: bool, backend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "vitprof.backends.machine.nvidia_gauges.NvidiaGauges.open",
        lambda: asked.append("driver") or "there is none",
    )
    sensors_of(Target(backend, setting), tmp_path)
    assert bool(asked) == gpu
