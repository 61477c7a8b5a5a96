"""What a busy process does to a table: on the other core, then on the same core.

    python benchmarks/busy_machine.py

The measuring process is bound to one core; the busy one multiplies matrices without end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from report import heading, publish, table
from vitprof.backends import OnnxRuntimeBackend
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Setting

GRID = "embed=192,768;attention.heads=3,12;attention.qk=64;attention.v=64;mlp.mlp=768,3072"
CPU = Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime", "CPUExecutionProvider"))
BUSY = (
    "import os, sys, numpy as np\n"
    "os.sched_setaffinity(0, {int(sys.argv[1])})\n"
    "a = np.random.rand(400, 400)\n"
    "while True: a = np.tanh(a @ a)\n"
)


@contextmanager
def busy_on(core: int | None) -> Iterator[None]:
    if core is None:
        yield
        return
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    busy = subprocess.Popen([sys.executable, "-c", BUSY, str(core)], env=environment)
    try:
        time.sleep(1.5)
        yield
    finally:
        busy.kill()
        busy.wait()


def plain_medians(plan: Plan, runs: int = 30) -> dict[object, float]:
    """What people do today: one session, a loop, the median."""
    medians = {}
    with Workshop(CPU) as workshop:
        for point in plan.points:
            with workshop.fresh_session(point.parts[0].subject) as executable:
                for _ in range(3):
                    executable.run()
                times = []
                for _ in range(runs):
                    started = time.perf_counter()
                    executable.run()
                    times.append(1e3 * (time.perf_counter() - started))
            medians[point.key] = float(np.median(times))
    return medians


def rows_of() -> list[list[str]]:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    plan = Plan.of_blocks(ViTSlabs().with_levels(GRID).blocks())
    tables: dict[str, LatencyTable] = {}
    plain: dict[str, dict[object, float]] = {}
    where: dict[str, int | None] = {"quiet": None, "other core": cores[-1], "same core": cores[0]}
    with tempfile.TemporaryDirectory() as folder:
        for name, core in where.items():
            with busy_on(core):
                out = Path(folder) / f"{name}.csv"
                tables[name] = measure_table(plan, CPU, out)
                plain[name] = plain_medians(plan)
    quiet = {row.key: row for row in tables["quiet"].rows}
    rows = []
    for name in ("other core", "same core"):
        errors = {r.key: r.latency_ms / quiet[r.key].latency_ms - 1 for r in tables[name].rows}
        unstable = [r for r in tables[name].rows if r.verdict == "unstable"]
        good = sum(abs(errors[r.key]) <= 0.05 or r.verdict == "unstable" for r in tables[name].rows)
        loop = np.array([plain[name][key] / plain["quiet"][key] - 1 for key in quiet])
        middle = float(np.median(list(errors.values())))
        rows.append(
            [
                f"busy process on the {name}: points within 5 % of the quiet table, or unstable",
                "all",
                f"{good} of {len(quiet)} ({len(unstable)} unstable; median {middle:+.1%}, "
                f"worst {max(errors.values(), key=abs):+.1%}); a plain median meanwhile: median "
                f"{np.median(loop):+.1%}, worst {max(loop, key=abs):+.1%}",
            ]
        )
    os.sched_setaffinity(0, set(cores))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    publish(
        heading("A busy machine") + "\n" + table(("what", "target", "measured"), rows_of()),
        arguments.out,
    )


if __name__ == "__main__":
    main()
