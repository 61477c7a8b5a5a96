"""A CPU's facts as Linux tells them in /proc and /sys."""

from __future__ import annotations

import re
from pathlib import Path

_SYSTEM_CPU = "sys/devices/system/cpu"


def linux_cpu_facts(root: Path, cores: frozenset[int]) -> dict[str, object]:
    """Return the facts of `cpu_facts` that Linux knows; `cores` are those this process may use."""
    cpuinfo = read_text(root / "proc/cpuinfo") or ""
    places = {
        int(match[1]): place
        for directory in _list(root / _SYSTEM_CPU)
        if (match := re.fullmatch(r"cpu(\d+)", directory.name))
        and (place := _place_of_core(directory)) is not None
    }
    return {
        "cpu": _model_name(cpuinfo),
        "physical_cores": len(set(places.values())) or None,
        "physical_cores_available": len({places[core] for core in cores if core in places}) or None,
        "cpu_quota": _cpu_quota(root),
        "max_mhz": _highest_mhz(root, cores, "cpuinfo_max_freq"),
        "current_mhz": _highest_mhz(root, cores, "scaling_cur_freq") or _mhz_in(cpuinfo),
        "governor": _governor(root, cores),
        "turbo": _turbo(root),
        "virtual_machine": _virtual_machine(cpuinfo),
        "l2_kib": _cache_kib(root, level=2),
        "l3_kib": _cache_kib(root, level=3),
        "memory_gib": _memory_gib(root),
        "os": _distribution(root),
    }


def read_text(path: Path) -> str | None:
    """Return a small file's text without surrounding space, or None if unreadable or empty."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip(" \n\t\0") or None
    except (OSError, ValueError):
        return None


def read_number(path: Path) -> int | None:
    """Return the whole number a file holds, or None."""
    text = read_text(path)
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,18}", text) else None


def _list(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _field(text: str, name: str) -> str | None:
    """Return the first value of 'name : value' lines."""
    match = re.search(rf"^{name}[ \t]*:[ \t]*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else None


def _model_name(cpuinfo: str) -> str | None:
    """Return the CPU's name; most ARM systems give only the numbers of maker and part."""
    name = _field(cpuinfo, "model name") or _field(cpuinfo, "Model") or _field(cpuinfo, "Hardware")
    if name is None and (part := _field(cpuinfo, "CPU part")):
        name = f"ARM implementer {_field(cpuinfo, 'CPU implementer')} part {part}"
    return name


def _place_of_core(directory: Path) -> tuple[int, int] | None:
    """Return (package, core): equal for the hyper-threads of one physical core."""
    package = read_number(directory / "topology/physical_package_id")
    core = read_number(directory / "topology/core_id")
    return None if package is None or core is None else (package, core)


def _cpu_quota(root: Path) -> float | None:
    """Return how many cores' worth of time a container may use, or None if unlimited."""
    version_2 = (read_text(root / "sys/fs/cgroup/cpu.max") or "").split()
    if len(version_2) == 2 and all(re.fullmatch(r"[0-9]{1,18}", part) for part in version_2):
        quota, period = int(version_2[0]), int(version_2[1])
    else:
        quota = read_number(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us") or 0
        period = read_number(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us") or 0
    return round(quota / period, 2) if quota > 0 and period > 0 else None


def _highest_mhz(root: Path, cores: frozenset[int], file: str) -> int | None:
    khz = [
        value
        for core in cores
        if (value := read_number(root / _SYSTEM_CPU / f"cpu{core}/cpufreq/{file}")) is not None
    ]
    return round(max(khz) / 1000) if khz else None


def _mhz_in(cpuinfo: str) -> int | None:
    mhz = [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([0-9]+\.?[0-9]*)", cpuinfo, re.M)]
    return round(max(mhz)) if mhz and max(mhz) < 1e6 else None


def _governor(root: Path, cores: frozenset[int]) -> str | None:
    """Return the cores' governor; the names joined by '/' where they differ."""
    names = {
        name
        for core in cores
        if (name := read_text(root / _SYSTEM_CPU / f"cpu{core}/cpufreq/scaling_governor"))
    }
    return "/".join(sorted(names)) or None


def _turbo(root: Path) -> bool | None:
    no_turbo = read_number(root / _SYSTEM_CPU / "intel_pstate/no_turbo")
    if no_turbo is not None:
        return no_turbo == 0
    boost = read_number(root / _SYSTEM_CPU / "cpufreq/boost")
    return None if boost is None else boost == 1


def _virtual_machine(cpuinfo: str) -> bool | None:
    """Return the x86 'hypervisor' flag; other CPUs have none to read."""
    flags = _field(cpuinfo, "flags")
    return None if flags is None else "hypervisor" in flags.split()


def _cache_kib(root: Path, level: int) -> int | None:
    for cache in _list(root / _SYSTEM_CPU / "cpu0/cache"):
        size = re.fullmatch(r"([0-9]{1,12})([KM])", read_text(cache / "size") or "")
        if size and read_number(cache / "level") == level:
            return int(size[1]) * (1024 if size[2] == "M" else 1)
    return None


def _memory_gib(root: Path) -> float | None:
    total = re.fullmatch(
        r"([0-9]{1,18}) kB", _field(read_text(root / "proc/meminfo") or "", "MemTotal") or ""
    )
    return round(int(total[1]) / 1024**2, 1) if total else None


def _distribution(root: Path) -> str | None:
    release = read_text(root / "etc/os-release") or ""
    match = re.search(r'^PRETTY_NAME="?([^"\n]+)"?$', release, re.MULTILINE)
    return match[1].strip() if match else None
