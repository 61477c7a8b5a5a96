"""The process whose memory is measured: `python -m vitprof.profiler.deployed.memory_probe FIELDS`.

It imports a runtime, notes its peak, loads a model, runs it a few times, and prints both peaks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .deployed import Deployed
from .process_memory import peak_resident_bytes

RUNS = 5


def main(fields: dict[str, Any]) -> dict[str, int]:
    file = Deployed(**fields | {name: Path(fields[name]) for name in ("folder", "path")})
    file.by.prepare(file)
    before = peak_resident_bytes()
    with file.by.open_alone(file) as executable:
        for _ in range(RUNS):
            executable.run()
        return {"before": before, "peak": peak_resident_bytes()}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
