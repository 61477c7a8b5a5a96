"""Clock, temperature and throttle counters of a CPU, as Linux tells them in /proc and /sys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...backends.machine.linux_cpu import linux_cpu_facts, read_number, read_text
from .sensors import Gauge, Untold

_CPU = "sys/devices/system/cpu"
_THERMAL = "sys/class/thermal"
_HWMON = "sys/class/hwmon"
_MHZ = re.compile(r"^cpu MHz\s*:\s*([0-9]+\.?[0-9]*)", re.MULTILINE)
# A sensor that is not connected says -274, -128, 0 or 127.5 degrees and the like.
_COLDEST, _HOTTEST = 1.0, 125.0
# Drivers of sensors within CPUs, and the kinds of thermal zones that are of a CPU, best first.
_CPU_DRIVERS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal")
_CPU_ZONES = (r"x86_pkg_temp", r"(cpu|soc|pkg|cluster).*", r"TCPU.*", r"acpitz")
# Of a driver's sensors, the one of the whole package.
_WHOLE = re.compile(r"package|tctl|tdie", re.IGNORECASE)


@dataclass(frozen=True)
class HighestOf:
    """The highest plausible number in some files, in a unit of their own."""

    source: str
    files: Sequence[Path]
    per_unit: float
    lowest: float = 1e-9
    highest: float = 1e9

    def read(self) -> float | None:
        found = [number / self.per_unit for file in self.files if (number := read_number(file))]
        return max((one for one in found if self.lowest <= one <= self.highest), default=None)


@dataclass(frozen=True)
class SumOf:
    """The sum of the numbers in some files; None where one of them cannot be read."""

    source: str
    files: Sequence[Path]

    def read(self) -> float | None:
        numbers = [read_number(file) for file in self.files]
        known = [number for number in numbers if number is not None]
        return float(sum(known)) if known and len(known) == len(numbers) else None


@dataclass(frozen=True)
class CpuInfoClock:
    """The highest "cpu MHz" of /proc/cpuinfo."""

    file: Path
    source: str = "/proc/cpuinfo, the fastest core"

    def read(self) -> float | None:
        return max(map(float, _MHZ.findall(read_text(self.file) or "")), default=None)


def linux_clock(root: Path, cores: Iterable[int]) -> Gauge:
    """Return the clock of the fastest of `cores`: of cpufreq, otherwise of /proc/cpuinfo.

    A virtual machine without cpufreq shows the same nominal clock always, which is not taken.
    """
    files = [root / _CPU / f"cpu{core}/cpufreq/scaling_cur_freq" for core in sorted(cores)]
    scaling = HighestOf("cpufreq, the fastest core", files, 1e3)
    if scaling.read() is not None:
        return scaling
    nominal = CpuInfoClock(root / "proc/cpuinfo")
    mhz = nominal.read()
    if mhz is None:
        return Untold("neither /sys/devices/system/cpu/*/cpufreq nor /proc/cpuinfo has a clock")
    if linux_cpu_facts(root, frozenset(cores))["virtual_machine"]:
        return Untold(f"this virtual machine shows only a nominal {mhz:.0f} MHz")
    return nominal


def linux_temperature(root: Path) -> Gauge:
    """Return the temperature of the CPU: of a sensor within it, or of its hottest thermal zone.

    Sensors of anything else (disks, batteries, the network) are not asked, nor those that are not
    connected.
    """
    for name, files in (*_hwmon_sensors(root), *_thermal_zones(root)):
        gauge = HighestOf(name, files, 1e3, _COLDEST, _HOTTEST)
        if gauge.read() is not None:
            return gauge
    return Untold("neither /sys/class/hwmon nor /sys/class/thermal has a sensor of the CPU")


def linux_throttle_count(root: Path, cores: Iterable[int]) -> Gauge:
    """Return how often the CPU has held itself back because of heat, counted since it was on."""
    counts = ("core_throttle_count", "package_throttle_count")
    places = [root / _CPU / f"cpu{core}/thermal_throttle" for core in sorted(cores)]
    files = [place / count for place in places for count in counts]
    counter = SumOf("thermal_throttle", [file for file in files if read_number(file) is not None])
    return counter if counter.files else Untold("this CPU does not count its throttling")


def _hwmon_sensors(root: Path) -> list[tuple[str, list[Path]]]:
    """Return (name, files) of each CPU driver's package sensors, or else of all it has."""
    found: dict[str, list[Path]] = {}
    for place in _places(root / _HWMON, "hwmon*"):
        driver = read_text(place / "name")
        if driver not in _CPU_DRIVERS:
            continue
        inputs = _places(place, "temp*_input")
        whole = [file for file in inputs if _WHOLE.search(_label(file))]
        found.setdefault(driver, []).extend(whole or inputs)
    return sorted(found.items(), key=lambda one: _CPU_DRIVERS.index(one[0]))


def _label(file: Path) -> str:
    return read_text(file.with_name(file.name.replace("_input", "_label"))) or ""


def _thermal_zones(root: Path) -> list[tuple[str, list[Path]]]:
    """Return (kind, files) of the thermal zones of CPUs, the best kind first."""
    zones = [(read_text(place / "type") or "", place) for place in _places(root / _THERMAL)]
    found = []
    for kind in _CPU_ZONES:
        alike = [(name, place / "temp") for name, place in zones if re.fullmatch(kind, name, re.I)]
        if alike:
            found.append((alike[0][0], [file for _, file in alike]))
    return found


def _places(folder: Path, pattern: str = "thermal_zone*") -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
