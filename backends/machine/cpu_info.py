"""What CPU a table was measured on: the facts that change a latency, and nothing personal."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .linux_cpu import linux_cpu_facts, read_text
from .mac_cpu import mac_cpu_facts

SYSTEM_ROOT = Path("/")

_FACTS = (
    "cpu",
    "architecture",
    "logical_cores",
    "physical_cores",
    "cores_available",
    "physical_cores_available",
    "cpu_quota",
    "max_mhz",
    "current_mhz",
    "governor",
    "turbo",
    "virtual_machine",
    "l2_kib",
    "l3_kib",
    "memory_gib",
    "os",
    "kernel",
    "python",
)


def cpu_facts(root: Path = SYSTEM_ROOT) -> dict[str, object]:
    """Return this machine's CPU, memory and system as JSON values; None where unreadable.

    Always the same keys. `cores_available` and `physical_cores_available` are what this process
    may use (its affinity), `cpu_quota` a container's limit in cores, cache sizes are of one cache
    in KiB, `memory_gib` in GiB. `current_mhz` and the load differ from one moment to the next.
    Holds no host name, user name or path. Never raises. `root` is where /proc and /sys are found.
    """
    system = platform.system()
    facts: dict[str, object] = dict.fromkeys(_FACTS)
    facts["architecture"] = platform.machine() or None
    facts["logical_cores"] = os.cpu_count()
    facts["cores_available"] = len(cores_of_this_process()) or None
    facts["kernel"] = f"{system} {platform.release()}".strip() or None
    facts["python"] = platform.python_version()
    if system == "Linux":
        facts |= linux_cpu_facts(root, cores_of_this_process())
    elif system == "Darwin":
        facts |= mac_cpu_facts()
    return facts


def has_int8_products(root: Path = SYSTEM_ROOT) -> bool:
    """Tell whether sums of products of 8-bit numbers cannot overflow on this CPU.

    On x86 without VNNI they are added up in 16 bits, so weights have to do with 7.
    """
    if not _is_x86():
        return True
    flags = _flags(root)
    return "avx512_vnni" in flags or "avx_vnni" in flags


def lacks_avx512_vnni(root: Path = SYSTEM_ROOT) -> bool:
    """Tell whether this is an x86 CPU without AVX512-VNNI; False where nothing says so.

    The newer AVX-VNNI, which some libraries do not use, does not count.
    """
    flags = _flags(root)
    return _is_x86() and bool(flags) and "avx512_vnni" not in flags


def _flags(root: Path) -> list[str]:
    """Return the words of Linux's list of this CPU's features, among others; none elsewhere."""
    return (read_text(root / "proc/cpuinfo") or "").split()


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def has_bf16_products(root: Path = SYSTEM_ROOT) -> bool:
    """Tell whether this CPU multiplies bfloat16 in hardware; False where nothing says so.

    Without it a product in bfloat16 is one in fp32 with conversions around it.
    """
    flags = _flags(root)
    return any(unit in flags for unit in ("avx512_bf16", "amx_bf16", "bf16"))


def cores_of_this_process() -> frozenset[int]:
    """Return the logical cores this process may run on: its affinity, where the system has one."""
    try:
        return frozenset(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return frozenset(range(os.cpu_count() or 0))
