"""A restless machine against the quiet truth: the figures of docs/results/restless.md.

    python benchmarks/restless.py [--out docs/results/restless.md] [--folder restless-run]
        [--families vit] [--models 50] [--validate] [--steps quiet,restless,again] [--quick]

A default table is measured quiet, beside a neighbour that thrashes cache and memory in bursts of
random length (unrest.py), and both once more; with --validate the quiet and the restless one are
also validated, each in its weather. The folder keeps every finished step: a second call goes on
from there, and --steps runs only the named ones and reports on all that are done. Without --quick
it takes about 8 minutes a family on two cores, with --validate about 18. "Quiet" is as quiet as the
machine is: run nothing else beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from report import heading, publish, table
from unrest import other_cores, unrest
from vitprof.profiler.validation.drawing import draw_for
from vitprof.tables import LatencyTable

MEASURED = ("quiet", "restless", "again", "restless-again")
VALIDATED = {"validate-quiet": "quiet", "validate-restless": "restless"}
IN_WORDS = {
    "quiet": "quiet",
    "restless": "restless",
    "again": "quiet again",
    "restless-again": "restless again",
}
QUICK_MEASURE = (
    "--grid",
    "embed=192,384;attention.heads=3,6;attention.qk=64;attention.v=64;mlp.mlp=768,1536",
    "--whole-models",
    "4",
    "--time",
    "10s",
)
QUICK_VALIDATE = ("--time", "10s")


@dataclass(frozen=True)
class Run:
    """The folder of the steps of one family, and how they are run."""

    folder: Path
    family: str
    models: int
    seed: int
    quick: bool

    def file(self, step: str, suffix: str) -> Path:
        return self.folder / f"{self.family}-{step}{suffix}"

    def answer(self, step: str) -> dict | None:
        """Return what a finished step printed."""
        saved = self.file(step, ".json")
        return json.loads(saved.read_text()) if saved.exists() else None

    def table(self, step: str) -> LatencyTable | None:
        return LatencyTable.read_csv(self.file(step, ".csv")) if self.answer(step) else None

    def do(self, step: str) -> None:
        """Run a step that is not finished, in its weather."""
        if self.answer(step) is not None:
            return
        weather = VALIDATED.get(step, step)
        own, others = other_cores()
        with ExitStack() as stack:
            if weather.startswith("restless"):
                seed = self.seed + MEASURED.index(weather)
                stack.enter_context(unrest(seed, others))
            answer = vitprof(self._arguments(step, weather), own)
        self.file(step, ".json").write_text(json.dumps(answer, indent=2))

    def _arguments(self, step: str, weather: str) -> list[str]:
        lut = str(self.file(weather, ".csv"))
        if step not in VALIDATED:
            quick = QUICK_MEASURE if self.quick else ()
            return ["measure", "--family", self.family, "--out", lut, *quick]
        if self.answer(weather) is None:
            raise SystemExit(f"step {step} needs the table of step {weather}: run that first")
        samples = ["--samples", str(self.models), "--seed", str(self.seed)]
        quick = QUICK_VALIDATE if self.quick else ()
        return ["validate", "--table", lut, "--family", self.family, *samples, *quick]


def vitprof(arguments: Sequence[str], cores: Sequence[int]) -> dict:
    """Run a command on these cores (none: anywhere) and return what it printed as JSON."""
    command = [sys.executable, "-m", "vitprof", *arguments, "--json"]
    before = os.sched_getaffinity(0) if cores else None
    try:
        if cores:
            os.sched_setaffinity(0, set(cores))  # the child inherits it
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def differences(run: Run, one: str, other: str) -> str:
    """Return how far two tables' predictions of the same random models lie apart."""
    first, second = run.table(one), run.table(other)
    if first is None or second is None:
        return "not measured"
    draw, rng = draw_for(first, run.family), random.Random(run.seed)
    specs = [draw(rng, f"random-{n}") for n in range(run.models)]
    ratios = np.array([second.predict(spec).ms / first.predict(spec).ms for spec in specs])
    apart = np.abs(ratios - 1)
    return f"{apart.mean():.2%} / {apart.max():.1%} (mean difference {ratios.mean() - 1:+.2%})"


def rows_of(run: Run) -> list[list[str]]:
    """Return the figures of one family: what, asked and measured, quiet and restless."""
    quiet, restless = (run.answer(f"validate-{weather}") for weather in ("quiet", "restless"))

    def both(what: str, asked_quiet: str, asked_restless: str, figure: str) -> list[str]:
        quiet_said, restless_said = shown(quiet, figure), shown(restless, figure)
        return [run.family, what, asked_quiet, quiet_said, asked_restless, restless_said]

    vit = run.family == "vit"
    mape = ("≤ 0.7 %", "≤ 1.5 %") if vit else ("≤ 1.5 %", "≤ 2.5 %")
    return [
        [
            run.family,
            f"two tables' predictions of the same {run.models} random models differ by "
            "(mean / worst)",
            "≤ 0.7 / 2 %",
            differences(run, "quiet", "again"),
            "≤ 1.5 / 4 %",
            differences(run, "restless", "restless-again"),
        ],
        [
            run.family,
            "the same, of a quiet and a restless table",
            "",
            "",
            "",
            differences(run, "quiet", "restless"),
        ],
        both(f"validate, {run.models} unseen models: MAPE", *mape, "mape"),
        both("95 % intervals cover", "90–99 %", "90–99 %", "coverage"),
        both("MAPE over a·MACs + b", "≤ 0.35 ×", "≤ 0.5 ×", "macs_line"),
        both("MAPE over a·MACs + b·blocks + c", "≤ 0.5 ×", "≤ 0.7 ×", "macs_blocks_line"),
        [
            run.family,
            "time of the table; restless: over the quiet time",
            "≤ 80 s" if vit else "1 ×",
            seconds(run, "quiet"),
            "≤ 1.6 ×",
            seconds(run, "restless"),
        ],
    ]


def shown(answer: dict | None, figure: str) -> str:
    if answer is None:
        return "not measured"
    mape = answer["table"]["mape"]
    if figure == "mape":
        return f"{mape:.2%} (noise floor {answer['noise_floor']['mape']:.2%})"
    if figure == "coverage":
        return f"{answer['coverage']:.0%}"
    rival = answer["rivals"].get(figure)
    return f"{mape / rival['mape']:.2f} ×" if rival else "no such rival"


def seconds(run: Run, step: str) -> str:
    answer, quiet = run.answer(step), run.answer("quiet")
    if answer is None:
        return "not measured"
    took = answer["seconds"]["total"]
    if step == "quiet" or quiet is None:
        return f"{took:.0f} s"
    return f"{took / quiet['seconds']['total']:.2f} × ({took:.0f} s)"


def speeds_of(run: Run) -> list[list[str]]:
    """Return what each table's reference showed of the machine."""
    rows = []
    for step in MEASURED:
        measured = run.table(step)
        if measured is None:
            continue
        showed = measured.header.readings.get(measured.references.blocks)
        drift = showed.drift if showed else None
        if drift is None:
            continue
        fast = f"{drift.undisturbed_ms:.2f}" if drift.undisturbed_ms else "not known"
        times = [f"{ms:.2f}" for ms in (drift.p10_ms, drift.typical_ms, drift.p90_ms)]
        unstable = sum(row.verdict == "unstable" for row in measured.rows)
        rows.append([run.family, IN_WORDS[step], fast, *times, f"{unstable}/{len(measured.rows)}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    parser.add_argument("--folder", default="restless-run")
    parser.add_argument("--families", default="vit", help="names with commas between")
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--steps", default="", help="only these, with commas between")
    parser.add_argument("--quick", action="store_true", help="tiny tables: only to try it out")
    arguments = parser.parse_args()
    known = (*MEASURED, *VALIDATED)
    # Each table is validated in its weather right after it, so that "again" is an hour later.
    tables = ("quiet", "validate-quiet", "restless", "validate-restless")
    ordered = (*tables, "again", "restless-again")
    chosen = arguments.steps.split(",") if arguments.steps else ordered
    if unknown := [step for step in chosen if step not in known]:
        raise SystemExit(f"no step is called {unknown[0]}; steps are {', '.join(known)}")
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    runs = [
        Run(folder, family, arguments.models, arguments.seed, arguments.quick)
        for family in arguments.families.split(",")
    ]
    for run in runs:
        for step in chosen:
            if step not in VALIDATED or arguments.validate or arguments.steps:
                run.do(step)
    columns = ("family", "what", "asked, quiet", "quiet", "asked, restless", "restless")
    speeds = ("family", "table", "undisturbed", "10th", "median", "90th percentile", "unstable")
    text = heading("A restless machine") + "\n"
    if arguments.quick:
        text += "Tiny tables, only to try the benchmark out: these figures say nothing.\n\n"
    text += (
        table(columns, [row for run in runs for row in rows_of(run)])
        + "\nWhat the reference took meanwhile, in ms, and how many points were unstable:\n\n"
        + table(speeds, [row for run in runs for row in speeds_of(run)])
    )
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
