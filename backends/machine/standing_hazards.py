"""What about this machine hurts timings all the time, each with its remedy.

`hazards.py` has what is worth a warning before every measurement; these are for `vitprof doctor`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from .cpu_info import SYSTEM_ROOT, cpu_facts
from .linux_cpu import read_number, read_text

# Waiting threads that spin keep a core busy between two calls of a runtime.
_SPINNING = {
    "OMP_WAIT_POLICY": ("active",),
    "KMP_BLOCKTIME": ("infinite",),
    "GOMP_SPINCOUNT": ("infinite", "infinity"),
}
# A whole model in fp32, its runtime and the profiler; with less the system begins to swap.
_LEAST_FREE_KIB = 2 * 1024**2
_LEAST_SWAPPED_KIB = 64 * 1024


def standing_hazards(environ: Mapping[str, str], root: Path = SYSTEM_ROOT) -> list[str]:
    """Return a sentence "cause; remedy" for each. Never raises; what cannot be read is left out.

    `environ` are the environment's variables, `root` is where /proc and /sys are found.
    """
    facts = cpu_facts(root)
    return [
        *_virtual_machine(facts["virtual_machine"]),
        *_quota(facts["cpu_quota"], facts["cores_available"]),
        *_siblings(root),
        *_spinning_pools(environ),
        *_memory(root),
        *_throttled(root),
    ]


def _virtual_machine(virtual: object) -> Iterator[str]:
    if virtual is True:
        yield (
            "this is a virtual machine, whose host gives its cores to others too; measure on a "
            "machine of its own, or in several sessions at different hours"
        )


def _quota(quota: object, cores: object) -> Iterator[str]:
    if isinstance(quota, float) and isinstance(cores, int) and quota < cores:
        yield (
            f"this container is stopped once it has used {quota:g} cores' worth of time and sees "
            f"{cores}; raise its CPU limit, or give it whole cores (docker run --cpuset-cpus)"
        )


def _siblings(root: Path) -> Iterator[str]:
    if read_number(root / "sys/devices/system/cpu/smt/active") == 1:
        yield (
            "cores are shared by two hyper-threads each, and work on one slows the other; keep "
            "the machine idle, or switch them off (echo off | sudo tee "
            "/sys/devices/system/cpu/smt/control)"
        )


def _spinning_pools(environ: Mapping[str, str]) -> Iterator[str]:
    for name, values in _SPINNING.items():
        value = environ.get(name, "").strip()
        if value.lower() in values:
            yield (
                f"{name}={value} lets waiting threads spin, which takes cores from the runtime "
                f"that is timed; unset {name}"
            )


def _memory(root: Path) -> Iterator[str]:
    meminfo = read_text(root / "proc/meminfo") or ""
    free = _kib(meminfo, "MemAvailable")
    if free is not None and free < _LEAST_FREE_KIB:
        yield (
            f"only {free / 1024**2:.1f} GiB of memory are free, and a large model and its runtime "
            "take more; stop other programs"
        )
    total, left = _kib(meminfo, "SwapTotal"), _kib(meminfo, "SwapFree")
    if total is not None and left is not None and total - left > _LEAST_SWAPPED_KIB:
        yield (
            f"{(total - left) / 1024**2:.1f} GiB are swapped out, and reading them back stops a "
            "run; stop other programs, then sudo swapoff -a && sudo swapon -a"
        )


def _throttled(root: Path) -> Iterator[str]:
    cores = root / "sys/devices/system/cpu"
    try:
        counts = [
            read_number(core / "thermal_throttle/core_throttle_count") or 0
            for core in cores.iterdir()
            if re.fullmatch(r"cpu\d+", core.name)
        ]
    except OSError:
        return
    if any(counts):
        yield (
            f"the CPU has lowered its clock {max(counts)} times since it was started because it "
            "was too hot; let it cool down, clean its fans, and see vitprof bench --sustained 10m"
        )


def _kib(meminfo: str, name: str) -> int | None:
    match = re.search(rf"^{name}:\s*([0-9]{{1,18}}) kB", meminfo, re.MULTILINE)
    return int(match[1]) if match else None
