"""The process whose footprint is taken: `python -m vitprof.profiler.deployed.footprint_probe`.

It imports a runtime, notes its peak, loads an artifact, runs it a few times and notes the peak
again; then it loads it a few times more, for the time that takes.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from ...backends import Executable, LoadsFiles
from ...backends.devices import use_device_files
from ...tables.setting import PartialSetting
from ..target import Target, target_of
from .process_memory import peak_resident_bytes

RUNS = 5
LOADS = 5


def main(fields: dict[str, Any]) -> dict[str, float]:
    use_device_files(fields["device_files"])
    target = target_of(PartialSetting(**fields["setting"]))
    load = _loading(target, Path(fields["path"]))
    before = peak_resident_bytes()
    times = []
    for nth in range(LOADS):
        started = perf_counter()
        with load() as executable:
            times.append(1e3 * (perf_counter() - started))
            if nth == 0:
                started = perf_counter()
                executable.run()
                first_run_ms = 1e3 * (perf_counter() - started)
                for _ in range(RUNS - 1):
                    executable.run()
                peak = peak_resident_bytes()
    return {
        "before": before,
        "peak": peak,
        "load_ms": statistics.median(times),
        "first_run_ms": first_run_ms,
    }


def _loading(target: Target, path: Path) -> Callable[[], Executable]:
    """Return what opens a session as a program on a device does: its file is in no second place."""
    import numpy as np  # noqa: F401 - in memory before the model is

    backend, options = target.backend, target.options
    if isinstance(backend, LoadsFiles):
        return lambda: backend.load_file(path, options)
    return lambda: backend.load(path.read_bytes(), options)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
