"""What a pruning step costs over a plain training step of the same model.

    python benchmarks/pruning_step.py --base VIT_FOLDER --data CIFAR_FOLDER --table lut.csv

Plain steps and steps that score units alternate on one model; a removal every --every steps is
timed by itself and shared out.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from report import heading, publish, table
from vitprof import LatencyTable, create_model
from vitprof.compress.budget import Budget
from vitprof.compress.cutting import with_fixed_scale
from vitprof.compress.groups import Groups
from vitprof.compress.nvit.importance import Importance
from vitprof.compress.nvit.pruner import Pruner
from vitprof.compress.nvit.selection import Chooser
from vitprof.compress.targets import floors_of
from vitprof.training.data.datasets import load_dataset
from vitprof.training.distillation import DistillationLoss
from vitprof.training.loop import TrainingPlan, TrainingRun

REMOVALS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    data = load_dataset(arguments.data, 32)
    model = with_fixed_scale(create_model(arguments.base, checkpoint=arguments.base))
    latencies = LatencyTable.read_csv(arguments.table)
    budget = Budget(latencies)
    plan = TrainingPlan(batch=arguments.batch, augment="light")
    run = TrainingRun(model, data, data.normalisation, plan, DistillationLoss())
    full = float(budget.of([model.spec])[0])
    groups = Groups.of(None, 3)
    chooser = Chooser(
        groups, budget.of, budget.of, full, None, floors_of(model.spec, latencies, groups)
    )
    pruner = Pruner(run, Importance(), chooser)
    steps = run.steps()
    for _ in range(3):
        next(steps)
    plain, scoring, removing = [], [], []
    for nth in range(1, REMOVALS + 1):
        for place in range(arguments.every):
            scores = place % 2 == 0
            run.after_backward = pruner.observe if scores else None
            started = time.perf_counter()
            next(steps)
            (scoring if scores else plain).append(time.perf_counter() - started)
        started = time.perf_counter()
        pruner.shrink_to(full * 0.54 ** (nth / REMOVALS))
        removing.append(time.perf_counter() - started)
        # The first step of another shape sets up what later ones find ready.
        next(steps)
    ratios = []
    for nth in range(REMOVALS):
        half = arguments.every // 2
        of_plain, of_scoring = (
            statistics.median(times[nth * half : (nth + 1) * half]) for times in (plain, scoring)
        )
        ratios.append((of_scoring + removing[nth] / arguments.every) / of_plain)
    rows = [
        ["plain step, ms (median)", f"{1e3 * statistics.median(plain):.0f}", ""],
        ["step that scores, ms (median)", f"{1e3 * statistics.median(scoring):.0f}", ""],
        ["one removal, ms (median)", f"{1e3 * statistics.median(removing):.0f}", ""],
        [
            f"pruning step over plain step, removal every {arguments.every} (median of {REMOVALS})",
            f"{statistics.median(ratios):.3f} ×",
            "≤ 1.15 ×",
        ],
    ]
    publish(
        heading("A pruning step") + "\n" + table(("what", "measured", "target"), rows),
        arguments.out,
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
