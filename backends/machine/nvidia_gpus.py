"""Which NVIDIA GPUs this machine has, as the driver's own tool reports them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

_SECONDS_TO_ANSWER = 20


@dataclass(frozen=True)
class NvidiaGpu:
    """A GPU's reported name and compute capability ("7.5"; None from drivers that do not say)."""

    name: str
    compute_capability: str | None


def nvidia_gpus() -> list[NvidiaGpu] | None:
    """Return this machine's NVIDIA GPUs, or None if no NVIDIA driver answers. Never raises.

    Asks nvidia-smi, so never call it while something is being timed.
    """
    rows = _query("name,compute_cap")
    if rows is None:
        # Drivers before 2021 do not know compute_cap.
        rows = _query("name")
    if rows is None:
        return None
    return [NvidiaGpu(row[0], _known(row[1]) if len(row) > 1 else None) for row in rows]


def nvidia_driver() -> str | None:
    """Return the version of this machine's NVIDIA driver, None if none answers; asks like above."""
    rows = _query("driver_version")
    return _known(rows[0][0]) if rows else None


def nvidia_gpu_uuids() -> list[str] | None:
    """Return the GPUs' UUIDs in the same order, or None if no NVIDIA driver answers."""
    rows = _query("uuid")
    return None if rows is None else [row[0] for row in rows]


def _known(value: str) -> str | None:
    """Return a reported value, or None for nvidia-smi's "[N/A]" and the like."""
    return None if value.startswith("[") else value


def _query(fields: str) -> list[list[str]] | None:
    """Return nvidia-smi's values, a list a GPU, or None if it is absent or fails."""
    nvidia_smi = shutil.which("nvidia-smi")
    if nvidia_smi is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603
            [nvidia_smi, f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS_TO_ANSWER,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if answer.returncode != 0:
        return None
    lines = (line for line in answer.stdout.splitlines() if line.strip())
    return [[value.strip() for value in line.split(",")] for line in lines]
