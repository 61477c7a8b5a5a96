"""What about this machine's setup will hurt timings, each with its remedy."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .cpu_info import SYSTEM_ROOT, cpu_facts
from .linux_cpu import read_number, read_text
from .mac_cpu import answer_of

# One busy process on two cores already moves medians by several percent.
_BUSY_LOAD_PER_CORE = 0.5


def measuring_hazards(threads: int, root: Path = SYSTEM_ROOT) -> list[str]:
    """Return a sentence with cause and remedy for each thing that will hurt timings right now.

    `threads` is how many the runtime will use. An empty list means nothing was found, not that
    the machine is quiet. Never raises. `root` is where /proc and /sys are found.
    """
    facts = cpu_facts(root)
    found = [
        _too_many_threads(threads, facts),
        _small_quota(threads, facts["cpu_quota"]),
        _governor(facts["governor"]),
        _load(facts["logical_cores"]),
        _battery(root),
    ]
    return [sentence for sentence in found if sentence is not None]


def _too_many_threads(threads: int, facts: dict[str, object]) -> str | None:
    cores, physical = facts["cores_available"], facts["physical_cores_available"]
    if isinstance(cores, int) and threads > cores:
        return (
            f"{threads} threads are to share the {_cores(cores)} this process may use, so they "
            f"wait for each other; use at most {cores}."
        )
    if isinstance(physical, int) and threads > physical:
        return (
            f"{threads} threads are to share {_cores(physical, 'physical core')}, so some run as "
            f"hyper-threads of the same one; use at most {physical}."
        )
    return None


def _small_quota(threads: int, quota: object) -> str | None:
    if not isinstance(quota, float) or threads <= quota:
        return None
    return (
        f"this container may use {quota:g} cores' worth of time and is stopped when {threads} "
        "threads have used it up; raise its CPU limit or use fewer threads."
    )


def _governor(governor: object) -> str | None:
    if not isinstance(governor, str) or governor == "performance":
        return None
    return (
        f"the CPU frequency governor is '{governor}', so the clock follows the load while it is "
        "being timed; set it to 'performance' (sudo cpupower frequency-set -g performance)."
    )


def _load(cores: object) -> str | None:
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
    if not isinstance(cores, int) or load / cores <= _BUSY_LOAD_PER_CORE:
        return None
    return (
        f"the load average is {load:.1f} on {_cores(cores)}: other work was running in the last "
        "minute; stop it, or wait until it is done."
    )


def _battery(root: Path) -> str | None:
    if not _on_battery(root):
        return None
    return "the machine runs on battery, where clocks are lowered; plug it in."


def _on_battery(root: Path) -> bool:
    if platform.system() == "Darwin":
        return "Battery Power" in (answer_of("/usr/bin/pmset", "-g", "ps") or "")
    try:
        supplies = sorted((root / "sys/class/power_supply").iterdir())
    except OSError:
        return False
    mains = [supply for supply in supplies if read_text(supply / "type") == "Mains"]
    if mains:
        return all(read_number(supply / "online") == 0 for supply in mains)
    return any(
        read_text(supply / "type") == "Battery"
        # A mouse or a headset has a battery too, which is not the machine's.
        and read_text(supply / "scope") != "Device"
        and read_text(supply / "status") == "Discharging"
        for supply in supplies
    )


def _cores(number: int, kind: str = "core") -> str:
    return f"{number} {kind}" if number == 1 else f"{number} {kind}s"
