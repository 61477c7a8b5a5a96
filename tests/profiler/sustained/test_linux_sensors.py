"""Clock, temperature and throttle counters, from trees like /proc and /sys that tests make."""

from __future__ import annotations

from pathlib import Path

import pytest
from vitprof.profiler.sustained.linux_sensors import (
    linux_clock,
    linux_temperature,
    linux_throttle_count,
)


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def frequency(core: int) -> str:
    return f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq"


def test_the_clock_is_that_of_the_fastest_core_this_process_may_use(tmp_path: Path) -> None:
    write(tmp_path, {frequency(0): 1200000, frequency(1): 3400123, frequency(2): 4000000})
    clock = linux_clock(tmp_path, [0, 1])
    assert clock.read() == pytest.approx(3400.123)
    assert "cpufreq" in clock.source
    write(tmp_path, {frequency(1): 2100000})
    assert clock.read() == 2100


def test_without_cpufreq_proc_tells_the_clock(tmp_path: Path) -> None:
    write(tmp_path, {"proc/cpuinfo": "flags : fpu avx\ncpu MHz\t\t: 2893.4\n\ncpu MHz\t: 3100.0"})
    clock = linux_clock(tmp_path, [0, 1])
    assert clock.read() == 3100
    assert "/proc/cpuinfo" in clock.source


def test_the_nominal_clock_of_a_virtual_machine_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path, {"proc/cpuinfo": "flags : fpu hypervisor\ncpu MHz\t\t: 2100.000"})
    clock = linux_clock(tmp_path, [0])
    assert clock.read() is None
    assert "nominal 2100 MHz" in clock.source
    # Its cpufreq is another matter.
    write(tmp_path, {frequency(0): 2500000})
    assert linux_clock(tmp_path, [0]).read() == 2500


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    for gauge in (
        linux_clock(tmp_path, [0]),
        linux_temperature(tmp_path),
        linux_throttle_count(tmp_path, [0]),
    ):
        assert gauge.read() is None
        assert gauge.source


def test_the_package_sensor_within_the_cpu_comes_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sys/class/hwmon/hwmon0/name": "nvme",
            "sys/class/hwmon/hwmon0/temp1_input": 71000,
            "sys/class/hwmon/hwmon3/name": "coretemp",
            "sys/class/hwmon/hwmon3/temp1_label": "Package id 0",
            "sys/class/hwmon/hwmon3/temp1_input": 64000,
            "sys/class/hwmon/hwmon3/temp2_label": "Core 0",
            "sys/class/hwmon/hwmon3/temp2_input": 66000,
            "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp",
            "sys/class/thermal/thermal_zone0/temp": 63000,
        },
    )
    gauge = linux_temperature(tmp_path)
    assert (gauge.source, gauge.read()) == ("coretemp", 64)


def test_of_two_packages_the_hotter_counts(tmp_path: Path) -> None:
    for nth, heat in ((0, 51000), (1, 77000)):
        place = f"sys/class/hwmon/hwmon{nth}"
        write(tmp_path, {f"{place}/name": "k10temp", f"{place}/temp1_label": "Tctl"})
        write(tmp_path, {f"{place}/temp1_input": heat, f"{place}/temp3_input": 99000})
    assert linux_temperature(tmp_path).read() == 77


@pytest.mark.parametrize("kind", ["cpu-thermal", "cpu0-thermal", "soc_thermal", "acpitz", "TCPU"])
def test_a_thermal_zone_of_the_cpu_is_taken(kind: str, tmp_path: Path) -> None:
    write(tmp_path, {"sys/class/thermal/thermal_zone2/type": kind})
    write(tmp_path, {"sys/class/thermal/thermal_zone2/temp": 55500})
    gauge = linux_temperature(tmp_path)
    assert (gauge.source, gauge.read()) == (kind, 55.5)


@pytest.mark.parametrize("kind", ["iwlwifi_1", "battery", "gpu-thermal", "nvme"])
def test_what_is_no_cpu_is_not_asked(kind: str, tmp_path: Path) -> None:
    write(tmp_path, {"sys/class/thermal/thermal_zone2/type": kind})
    write(tmp_path, {"sys/class/thermal/thermal_zone2/temp": 55500})
    assert linux_temperature(tmp_path).read() is None


@pytest.mark.parametrize("said", ["-274000", "-128000", "0", "127500", "65535000", "", "n/a"])
def test_a_disconnected_sensor_is_passed_over(said: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sys/class/hwmon/hwmon0/name": "coretemp",
            "sys/class/hwmon/hwmon0/temp1_input": said,
            "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp",
            "sys/class/thermal/thermal_zone0/temp": 48000,
        },
    )
    gauge = linux_temperature(tmp_path)
    assert (gauge.source, gauge.read()) == ("x86_pkg_temp", 48)


def test_a_sensor_that_falls_silent_is_read_as_unknown(tmp_path: Path) -> None:
    write(tmp_path, {"sys/class/thermal/thermal_zone0/type": "cpu-thermal"})
    write(tmp_path, {"sys/class/thermal/thermal_zone0/temp": 48000})
    gauge = linux_temperature(tmp_path)
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").unlink()
    assert gauge.read() is None


def test_throttle_counts_are_added_up(tmp_path: Path) -> None:
    place = "sys/devices/system/cpu/cpu{}/thermal_throttle/{}_throttle_count"
    write(tmp_path, {place.format(0, "core"): 3, place.format(0, "package"): 10})
    write(tmp_path, {place.format(1, "core"): 0})
    gauge = linux_throttle_count(tmp_path, [0, 1])
    assert gauge.read() == 13
    write(tmp_path, {place.format(1, "core"): 2})
    assert gauge.read() == 15
