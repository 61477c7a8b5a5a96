"""A CPU's facts as macOS tells them through sysctl."""

from __future__ import annotations

import platform
import subprocess

_SECONDS_TO_ANSWER = 5


def mac_cpu_facts() -> dict[str, object]:
    """Return the facts of `cpu_facts` that macOS knows."""
    physical = _number("hw.physicalcpu")
    memory = _number("hw.memsize")
    frequency = _number("hw.cpufrequency_max")
    l2, l3 = _number("hw.l2cachesize"), _number("hw.l3cachesize")
    virtual = _number("kern.hv_vmm_present")
    return {
        "cpu": sysctl("machdep.cpu.brand_string"),
        "physical_cores": physical,
        # macOS lets no process be tied to cores.
        "physical_cores_available": physical,
        "max_mhz": frequency // 10**6 if frequency else None,
        "virtual_machine": None if virtual is None else virtual == 1,
        "l2_kib": l2 // 1024 if l2 else None,
        "l3_kib": l3 // 1024 if l3 else None,
        "memory_gib": round(memory / 1024**3, 1) if memory else None,
        "os": f"macOS {platform.mac_ver()[0]}".strip(),
    }


def sysctl(name: str) -> str | None:
    """Return one system value as text, or None if the system does not tell. Never raises."""
    return answer_of("/usr/sbin/sysctl", "-n", name)


def answer_of(*command: str) -> str | None:
    """Return what a quick system command prints, or None if it is absent or fails."""
    try:
        answer = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS_TO_ANSWER,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _number(name: str) -> int | None:
    text = sysctl(name)
    return int(text) if text and text.isascii() and text.isdigit() else None
