"""The GPU as the driver's own tool names it; without torch, CUDA or vitprof."""

from __future__ import annotations

import re
import shutil
import subprocess

from .source_tree import path_with_driver_tools

SECONDS_TO_ANSWER = 30


def gpu_name() -> str | None:
    """Return the name of the first NVIDIA GPU; None where no driver answers."""
    tool = shutil.which("nvidia-smi", path=path_with_driver_tools())
    if tool is None:
        return None
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    names = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    return names[0] if names else None


def slug(name: str) -> str:
    """Return a name as that of a file or a device: "nvidia-h200"."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower())) or "gpu"
