"""How often `vitprof gate` is wrong, and how often it finds a regression of 7 %.

    python benchmarks/gate.py measured --folder gate-run     # this machine, alone: 12 minutes
    python benchmarks/gate.py simulated --folder gate-run    # no clock: any time, 10 minutes
    python benchmarks/gate.py report --folder gate-run --out docs/results/gate.md

Every gate is a line of a file of the folder, so that a run goes on where it was interrupted.
Measured gates are of a thin ViT against itself, against one that is 7 % deeper, and both beside a
busy process on the other core and on the same core. Simulated ones run the same code by a clock
that only simulated runs move: in the weathers of tests/simulated, and replaying traces of real
machines.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from busy_machine import CPU, busy_on
from report import heading, publish, table
from vitprof import ViTSpec
from vitprof.profiler.regression.measure import Regression, measure_regression
from vitprof.profiler.regression.session_pair import PLAN
from vitprof.profiler.workshop import Workshop

# What a simulated machine is stands beside its tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

LIMIT = 0.05
DEPTH, DEEPER = 28, 30
# Sessions of 20 ms, that a hundred gates take minutes; `vitprof gate` has longer ones.
SHORT = replace(PLAN, timed_ms=20.0)
SECONDS, SECONDS_BESIDE_OTHERS = 8.0, 5.0
MEASURED = {
    "against itself": (DEPTH, None, 100),
    "7 % deeper": (DEEPER, None, 100),
    "against itself, busy other core": (DEPTH, "other", 20),
    "7 % deeper, busy other core": (DEEPER, "other", 20),
    "against itself, busy same core": (DEPTH, "same", 10),
    "7 % deeper, busy same core": (DEEPER, "same", 10),
}
# Just at the limit a gate needs ten times as many sessions, and then ends undecided.
SLOWER = {0.07: 1.0, LIMIT: 0.4, 0.0: 1.0}
WEATHER_GATES, TRACE_GATES = 150, 300


def thin_vit(depth: int) -> ViTSpec:
    """A ViT that is little besides its layers: 30 of them take 30/28 of what 28 do."""
    return ViTSpec.uniform(
        64, depth, 2, 128, name=f"thin-{depth}", resolution=32, patch=8, classes=10
    )


class Folder:
    """Lines of gates, by case; a line that was cut short is left out."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path

    def done(self, kind: str) -> dict[str, list[dict[str, Any]]]:
        file, found = self.path / f"{kind}.jsonl", dict[str, list[dict[str, Any]]]()
        for line in file.read_text().splitlines() if file.exists() else []:
            try:
                one = json.loads(line)
            except json.JSONDecodeError:
                continue
            found.setdefault(one["case"], []).append(one)
        return found

    def add(self, kind: str, case: str, found: Regression, **more: float) -> None:
        low, high = found.interval
        line = {
            "case": case,
            "outcome": str(found.outcome),
            "change": found.change if math.isfinite(found.change) else None,
            "low": low if math.isfinite(low) else None,
            "high": high if math.isfinite(high) else None,
            "sessions": len(found.calm),
            "disturbed": len(found.pairs) - len(found.calm),
            "log_ratios": [pair.log_ratio for pair in found.calm],
            **more,
        }
        with (self.path / f"{kind}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


def measured(folder: Folder, minutes: float) -> None:
    """Measure what is left of every case, a gate of each in turn, until the minutes are over."""
    end = time.perf_counter() + 60 * minutes
    done = {case: len(lines) for case, lines in folder.done("measured").items()}
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    where = {None: None, "other": cores[-1], "same": cores[0]}
    with Workshop(CPU) as workshop:
        for busy, core in where.items():
            cases = {case: one for case, one in MEASURED.items() if one[1] == busy}
            with busy_on(core) if _lacks(cases, done) else _nothing():
                while time.perf_counter() < end and (lacking := _lacks(cases, done)):
                    for case in lacking:
                        base, head = (_opening(workshop, d) for d in (DEPTH, cases[case][0]))
                        started = time.perf_counter()
                        seconds = SECONDS if busy is None else SECONDS_BESIDE_OTHERS
                        found = measure_regression(base, head, LIMIT, seconds=seconds, plan=SHORT)
                        took = time.perf_counter() - started
                        folder.add("measured", case, found, seconds=took)
                        done[case] = done.get(case, 0) + 1
    os.sched_setaffinity(0, set(cores))


def _lacks(cases: Mapping[str, tuple[int, str | None, int]], done: Mapping[str, int]) -> list[str]:
    return [case for case, (_, _, wanted) in cases.items() if done.get(case, 0) < wanted]


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _opening(workshop: Workshop, depth: int) -> Callable[[], Any]:
    spec = thin_vit(depth)
    return lambda: workshop.fresh_session(spec)


def simulated(folder: Folder) -> None:
    """Simulate what is left of every case."""
    from simulated.trace_machine import factors_of
    from simulated.two_models import gate_on, gate_on_trace
    from simulated.weather import WEATHERS

    done = {case: len(lines) for case, lines in folder.done("simulated").items()}
    for slower, share in SLOWER.items():
        for name, weather in WEATHERS.items():
            case = f"{name}, {slower:+.0%}"
            for seed in range(done.get(case, 0), round(share * WEATHER_GATES)):
                folder.add("simulated", case, gate_on(weather, slower, seed))
        for name in ("xeon_quiet", "xeon_restless"):
            runs, case = factors_of(name), f"trace {name}, {slower:+.0%}"
            for seed in range(done.get(case, 0), round(share * TRACE_GATES)):
                folder.add("simulated", case, gate_on_trace(runs, slower, seed))


def _rows(lines: Mapping[str, list[dict[str, Any]]]) -> list[list[str]]:
    rows = []
    for case, gates in lines.items():
        outcomes = [one["outcome"] for one in gates]
        changes = [one["change"] for one in gates if one["change"] is not None]
        sessions = [one["sessions"] for one in gates]
        spread = (
            [
                x
                for one in gates
                for x in np.array(one["log_ratios"]) - one["change"]
                if one["change"] is not None
            ]
            if changes
            else []
        )
        seconds = [one["seconds"] for one in gates if "seconds" in one]
        rows.append(
            [
                case,
                str(len(gates)),
                *(str(outcomes.count(one)) for one in ("passed", "failed", "undecided")),
                f"{np.median(changes):+.2%}" if changes else "-",
                f"{np.std(spread):.1%}" if spread else "-",
                f"{np.median(sessions):.0f} (at most {max(sessions)})",
                f"{np.median(seconds):.1f}" if seconds else "-",
            ]
        )
    return rows


COLUMNS = (
    "case",
    "gates",
    "passed",
    "regressed",
    "too noisy to say",
    "median change",
    "sd of sessions",
    "sessions that decided",
    "seconds",
)


def page(folder: Folder) -> str:
    """Return the figures as Markdown."""
    found, thought = folder.done("measured"), folder.done("simulated")
    parts = [heading("The gate's errors"), f"The limit is {LIMIT:.0%}.", ""]
    if found:
        parts += ["## Measured here", "", table(COLUMNS, _rows(found))]
    if thought:
        parts += ["## Simulated", "", table(COLUMNS, _rows(thought))]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("measured", "simulated", "report"))
    parser.add_argument("--folder", default="gate-run", type=Path)
    parser.add_argument("--minutes", default=14.0, type=float, help="of measuring, then stop")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    folder = Folder(arguments.folder)
    if arguments.what == "measured":
        measured(folder, arguments.minutes)
    elif arguments.what == "simulated":
        simulated(folder)
    publish(page(folder), arguments.out)


if __name__ == "__main__":
    main()
