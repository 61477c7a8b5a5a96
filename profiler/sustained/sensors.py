"""What is read of the machine between runs: clock, temperature, energy, throttling."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...backends.machine.cpu_info import SYSTEM_ROOT, cores_of_this_process
from ..place.device_identity import is_on_nvidia_gpu
from ..target import Target


class Gauge(Protocol):
    """One thing that can be read again and again."""

    @property
    def source(self) -> str:
        """What is read, in words; or why nothing can be."""
        ...

    def read(self) -> float | None:
        """Return the value now, None where it cannot be read. Never raises."""
        ...


@dataclass(frozen=True)
class Untold:
    """A gauge of what this system does not tell."""

    source: str

    def read(self) -> None:
        return None


@dataclass(frozen=True)
class Sensors:
    """Clock in MHz, temperature in degrees Celsius, and two counters that only grow.

    `energy` counts joules. `throttled` counts how often the hardware has held the device back.
    """

    clock: Gauge
    temperature: Gauge
    energy: Gauge
    throttled: Gauge


def sensors_of(target: Target, root: Path = SYSTEM_ROOT) -> Sensors:
    """Return the sensors of the target's device; `root` is where /proc and /sys are found."""
    from ...backends import find_device

    setting = target.setting
    if is_on_nvidia_gpu(find_device(setting.device), setting.provider):
        from .nvidia_sensors import nvidia_sensors

        return nvidia_sensors()
    return cpu_sensors(root)


def cpu_sensors(root: Path = SYSTEM_ROOT) -> Sensors:
    """Return what this system tells of its CPU."""
    if platform.system() != "Linux":
        untold = Untold(f"{platform.system()} tells it to the administrator only")
        return Sensors(untold, untold, untold, untold)
    from .linux_sensors import linux_clock, linux_temperature, linux_throttle_count
    from .rapl import rapl_energy

    cores = cores_of_this_process()
    return Sensors(
        linux_clock(root, cores),
        linux_temperature(root),
        rapl_energy(root),
        linux_throttle_count(root, cores),
    )
