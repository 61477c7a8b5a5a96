"""What hurts timings all the time, read from a made-up /proc and /sys."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from vitprof.backends.machine.core_seconds import CoreSeconds
from vitprof.backends.machine.standing_hazards import standing_hazards

CPU = "sys/devices/system/cpu"
GIB = 1024**2


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def meminfo(free: float = 8.0, swap: float = 0.0, left: float = 0.0) -> dict[str, str]:
    lines = {"MemTotal": 16, "MemAvailable": free, "SwapTotal": swap, "SwapFree": left}
    text = "".join(f"{name}:   {int(value * GIB)} kB\n" for name, value in lines.items())
    return {"proc/meminfo": text}


def test_a_machine_that_tells_nothing_has_none(tmp_path: Path) -> None:
    assert standing_hazards({}, tmp_path) == []
    assert CoreSeconds.now(tmp_path) is None


def test_a_quiet_machine_has_none(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": "flags : fpu sse\n",
        f"{CPU}/smt/active": "0",
        f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "0",
        **meminfo(swap=2.0, left=2.0),
    }
    environ = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
    assert standing_hazards(environ, write(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("files", "environ", "cause", "remedy"),
    [
        ({"proc/cpuinfo": "flags : fpu hypervisor\n"}, {}, "virtual machine", "machine of its own"),
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, {}, "1.5 cores' worth", "CPU limit"),
        ({f"{CPU}/smt/active": "1"}, {}, "hyper-threads", "smt/control"),
        ({}, {"OMP_WAIT_POLICY": "Active"}, "OMP_WAIT_POLICY=Active", "unset OMP_WAIT_POLICY"),
        ({}, {"KMP_BLOCKTIME": "infinite"}, "KMP_BLOCKTIME=infinite", "unset KMP_BLOCKTIME"),
        (meminfo(free=1.0), {}, "only 1.0 GiB", "stop other programs"),
        (meminfo(swap=4.0, left=1.5), {}, "2.5 GiB are swapped out", "swapoff"),
        ({f"{CPU}/cpu1/thermal_throttle/core_throttle_count": "7"}, {}, "7 times", "fans"),
    ],
)
def test_each_has_a_cause_and_a_remedy(
    files: dict[str, str], environ: dict[str, str], cause: str, remedy: str, tmp_path: Path
) -> None:
    (sentence,) = standing_hazards(environ, write(tmp_path, files))
    said_cause, said_remedy = sentence.split("; ", 1)
    assert cause in said_cause
    assert remedy in said_remedy


@pytest.mark.parametrize("text", ["", "cpu 1 2", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8 9"])
def test_a_damaged_stat_tells_nothing(text: str, tmp_path: Path) -> None:
    assert CoreSeconds.now(write(tmp_path, {"proc/stat": text})) is None


def test_seconds_that_cores_computed_and_that_the_host_took(tmp_path: Path) -> None:
    text = "cpu  1000 200 300 99999 50 20 30 400 0 0\ncpu0 1 1 1 1 1 1 1 1\n"
    assert CoreSeconds.now(write(tmp_path, {"proc/stat": text})) == CoreSeconds(15.5, 4.0)
