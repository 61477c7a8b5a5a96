"""How much memory a process needs that loads a model and runs it: its peak resident set.

Measured in a fresh process of its own, so that nothing else is in it: what the system counts, not a
sum over allocations.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends import BackendError

_STATUS = Path("/proc/self/status")
SECONDS = 600.0


@dataclass(frozen=True)
class ProcessMemory:
    """Peak resident set in bytes: of the whole process, and before it loaded the model.

    The difference is what the model takes: weights, what flows, and what the runtime makes of them.
    """

    peak_bytes: int
    before_bytes: int

    @property
    def of_model_bytes(self) -> int:
        return max(self.peak_bytes - self.before_bytes, 0)


def peak_resident_bytes(status: Path = _STATUS) -> int:
    """Return the largest resident set this process has had so far, in bytes."""
    # On Linux getrusage tells the parent's peak too, if that was larger when it started this one.
    try:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory_of(deployed: Mapping[str, Any]) -> ProcessMemory:
    """Return what a process takes that opens and runs a `Deployed`, given by its fields.

    Raises BackendError with its last words where that process fails.
    """
    values = answer_of_process("vitprof.profiler.deployed.memory_probe", deployed)
    return ProcessMemory(int(values["peak"]), int(values["before"]))


def answer_of_process(
    module: str, fields: Mapping[str, Any], python: str = sys.executable
) -> dict[str, float]:
    """Return what `python -m module FIELDS` prints last, a JSON object.

    Raises BackendError with its last words where that process fails.
    """
    command = [python, "-m", module, json.dumps(fields)]
    try:
        answer = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError.because("measuring the memory of a process", error) from error
    if answer.returncode:
        words = answer.stderr.strip().splitlines() or [f"it ended with {answer.returncode}"]
        raise BackendError(f"measuring the memory of a process failed: {words[-1][:300]}")
    values: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return values
