"""Measure and search in one process, again and again: what it holds has to stay flat.

Memory (resident set), open files, threads, child processes and temporary files are sampled after
every round into FOLDER/soak-samples.json. The first fifth of the rounds fills caches and does not
count. After it a count of files, threads, processes or temporary files is flat where the largest of
the last third is not above the largest of the first third, and memory where the median of the last
third is at most 2 % and 8 MiB above that of the first third.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import fixed_machine
from .commands import Place
from .outcomes import Outcome
from .stage import Stage

WARMING = 0.2
MORE_MEMORY, MORE_MIB = 0.02, 8.0
LEAST_ROUNDS = 15


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hours", type=float, default=12.0, help="how long (%(default)s)")


def run(options: argparse.Namespace) -> list[Outcome]:
    stage = Stage.ready(options.out, "soak")
    place = Place(stage.runs).make()
    for name, value in place.environment().items():
        os.environ[name] = value
    import tempfile

    tempfile.tempdir = None
    fixed_machine.install()
    os.chdir(place.work)
    file = options.out.resolve() / "soak-samples.json"
    samples: list[dict[str, float]] = []
    ends = time.monotonic() + 3600 * options.hours
    failed = 0
    while time.monotonic() < ends or len(samples) < LEAST_ROUNDS:
        failed += one_round(stage, len(samples))
        samples.append(sample(place))
        file.write_text(json.dumps(samples))
    rows = []
    for kind, words in judged(samples).items():
        print(f"{kind}: {words or 'flat'}", flush=True)
        count = len(samples)
        rows.append(
            Outcome("measure and search", kind, count, 0 if words else count, 0, int(bool(words)))
        )
    whole = len(samples) - failed
    rows.append(Outcome("measure and search", "exit codes", len(samples), whole, 0, failed))
    return rows


def one_round(stage: Stage, number: int) -> int:
    """Measure a table and search with it in this process; 1 where one of them fails."""
    from vitprof.cli.main import main

    table = stage.material["space.csv"]
    commands: Sequence[Sequence[object]] = (
        (
            *("measure", "--model", stage.material["tiny.json"], "--points", 12, "--sessions", 1),
            *("--whole-models", 1, "--out", "lut.csv", "--fresh"),
        ),
        (
            *("search", "--space", stage.material["space.json"], "--table", table),
            *("--max-latency", "100ms", "--proxy", "macs", "--population", 8, "--candidates", 300),
            *("--generations", 3, "--parents", 3, "--seed", number % 5, "--out", "out"),
        ),
    )
    failed = 0
    shutil.rmtree("out", ignore_errors=True)
    for command in commands:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                main([str(one) for one in command])
            except SystemExit as stop:
                code = stop.code
        if code not in (0, 1):
            print(f"  FAULT round {number}: {code}: {output.getvalue()[-300:]}", file=sys.stderr)
            failed = 1
    return failed


def sample(place: Place) -> dict[str, float]:
    """Return what this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "memory_mib": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "threads": sum(1 for _ in Path("/proc/self/task").iterdir()),
        "processes": len(children),
        "temporary files": sum(1 for _ in place.temporary.rglob("*")),
    }


def judged(samples: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """Return for each kind "" where it is flat, otherwise how it grew."""
    counted = samples[int(WARMING * len(samples)) :]
    third = max(1, len(counted) // 3)
    growth = {}
    for kind in samples[0]:
        first, last = ([one[kind] for one in part] for part in (counted[:third], counted[-third:]))
        if kind == "memory_mib":
            before, after = statistics.median(first), statistics.median(last)
            grown = after - before > MORE_MIB and after > before * (1 + MORE_MEMORY)
        else:
            before, after = max(first), max(last)
            grown = after > before
        growth[kind] = f"from {before:g} to {after:g}" if grown else ""
    return growth
