"""A restless neighbour: thrashes cache and memory in bursts of random length, with pauses.

    python benchmarks/unrest.py --seed 0 [--cores 1] [--seconds 60]

It stops by itself when the process that started it is gone.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CACHE_BYTES = 4 << 20
MEMORY_BYTES = 256 << 20
# Bursts and pauses last between these, log-uniformly: spells that a reading may miss, and states
# that outlast whole sessions.
SHORTEST_S, LONGEST_S = 0.05, 20.0


@contextmanager
def unrest(seed: int, cores: Sequence[int]) -> Iterator[None]:
    """Have a restless neighbour on these cores (none: wherever the system puts it) meanwhile."""
    command = [sys.executable, str(Path(__file__).resolve()), "--seed", str(seed)]
    if cores:
        command += ["--cores", ",".join(map(str, cores))]
    neighbour = subprocess.Popen(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    try:
        time.sleep(1.0)
        yield
    finally:
        neighbour.terminate()
        neighbour.wait()


def other_cores() -> tuple[list[int], list[int]]:
    """Return the cores to measure on and those of the neighbour; both empty where none can be had.

    A single core is shared.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [], []
    cores = sorted(os.sched_getaffinity(0))
    return cores[:1], cores[1:] or cores


def log_uniform_s(rng: random.Random) -> float:
    return math.exp(rng.uniform(math.log(SHORTEST_S), math.log(LONGEST_S)))


def thrash(rng: random.Random, seconds: float, parent: int) -> None:
    small = np.zeros(CACHE_BYTES // 8)
    large, copy = np.zeros(MEMORY_BYTES // 8), np.zeros(MEMORY_BYTES // 8)
    places = np.random.default_rng(rng.randrange(2**32)).integers(0, small.size, 1 << 16)

    def cache() -> None:
        small[places] += 1.0

    def memory() -> None:
        step = large.size // 32
        start = rng.randrange(32) * step
        copy[start : start + step] = large[start : start + step]

    kinds: list[Callable[[], None]] = [cache, memory]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        thrashes = rng.choice(kinds)
        until = min(time.monotonic() + log_uniform_s(rng), end)
        while time.monotonic() < until and os.getppid() == parent:
            thrashes()
        pause = min(time.monotonic() + log_uniform_s(rng), end)
        while time.monotonic() < pause and os.getppid() == parent:
            time.sleep(min(0.2, max(pause - time.monotonic(), 0.0)))
        if os.getppid() != parent:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", default="")
    parser.add_argument("--seconds", type=float, default=math.inf)
    arguments = parser.parse_args()
    if arguments.cores:
        os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    thrash(random.Random(arguments.seed), arguments.seconds, os.getppid())


if __name__ == "__main__":
    main()
