"""Whether a session's speed depends on how many others were opened before it.

    python benchmarks/opening_order.py [--repeats 40] [--out docs/results/opening_order.md]

Fresh sessions of one model are opened one after another, warmed up and run in turns, as `gate`,
`compare --runtimes` and `choose` do. Each session's median is divided by the mean of all that are
open with it; the table has the median over repeats of each place in the order of opening, with the
95 % interval of that median.
"""

from __future__ import annotations

import argparse
import os
import random
from contextlib import ExitStack

import numpy as np
from busy_machine import CPU
from gate import DEPTH, thin_vit
from report import heading, publish, table
from vitprof import ViTSpec, create_spec
from vitprof.profiler.regression.session_pair import PLAN
from vitprof.profiler.sampling.clock import SystemClock
from vitprof.profiler.sampling.sampler import sample_group
from vitprof.profiler.sampling.statistics import latency_interval
from vitprof.profiler.workshop import Workshop

MODELS = {
    "thin-28": thin_vit(DEPTH),
    "vit-32": ViTSpec.uniform(192, 6, 3, resolution=32, patch=4, classes=10, name="vit-32"),
    "deit-tiny": create_spec("deit-tiny"),
}
OPEN = (2, 4)


def shares(spec, workshop: Workshop, count: int, repeats: int) -> np.ndarray:
    """Return each session's time over the mean of those open with it, repeats x places."""
    clock, found = SystemClock(), []
    for nth in range(repeats):
        with ExitStack() as stack:
            group = {
                place: stack.enter_context(workshop.fresh_session(spec)) for place in range(count)
            }
            samples = sample_group(group, PLAN, clock, random.Random(nth))
        times = [
            np.median([one.wall_ms for one in (samples[place].kept or samples[place].all)])
            for place in range(count)
        ]
        found.append(np.array(times) / np.mean(times))
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    rows = []
    with Workshop(CPU) as workshop:
        for name, spec in MODELS.items():
            for count in OPEN:
                measured = shares(spec, workshop, count, arguments.repeats)
                for place in range(count):
                    middle, low, high = latency_interval(list(measured[:, place]))
                    interval = f"{low - 1:+.1%} .. {high - 1:+.1%}"
                    rows.append([name, str(count), str(place + 1), f"{middle - 1:+.1%}", interval])
                    print(rows[-1], flush=True)
    os.sched_setaffinity(0, cores)
    columns = ["model", "open together", "opened", "against the mean", "95 % interval"]
    publish(heading("The order of opening sessions") + "\n" + table(columns, rows), arguments.out)


if __name__ == "__main__":
    main()
