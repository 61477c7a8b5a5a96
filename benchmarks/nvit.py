"""Pruning a ViT to a latency on CIFAR-10, beside the base and three rivals: docs/results/nvit.md.

    python benchmarks/nvit.py --base VIT_FOLDER --data CIFAR_FOLDER [--folder nvit-run]

Five methods and three seeds, each a training of --prune-epochs and --epochs: hours on two cores
(--jobs 2 trains two models side by side on one thread each, which is quicker than one on two).
The folder keeps what is done, run by run and minute by minute: the same call continues from there.
At the end all models are measured side by side in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fidelity import vitprof
from report import heading, publish, table

METHODS = {
    "base": (),
    "nvit": (),
    "macs": ("--credit", "macs"),
    "magnitude": ("--score", "magnitude"),
    "uniform": ("--allocation", "uniform"),
}
TITLES = {
    "base": "base, trained on as long",
    "nvit": "latency-regularised (eq. 7)",
    "macs": "budgeted in MACs",
    "magnitude": "by magnitude",
    "uniform": "all widths alike",
}


def train(method: str, seed: int, lut: Path, arguments: argparse.Namespace) -> dict:
    """Return the report of one run, made now unless it is there already."""
    out = Path(arguments.folder) / f"{method}-{seed}"
    if (out / "report.json").exists():
        return json.loads((out / "report.json").read_text())
    shared = (
        "--model",
        arguments.base,
        "--data",
        arguments.data,
        "--out",
        str(out),
        "--seed",
        str(seed),
        "--learning-rate",
        arguments.learning_rate,
        "--augment",
        arguments.augment,
    )
    shared += tuple(shlex.split(arguments.recipe))
    if arguments.teacher:
        shared += ("--teacher", arguments.teacher)
    if arguments.teacher_cache:
        shared += ("--teacher-cache", arguments.teacher_cache)
    if method == "base":
        epochs = float(arguments.prune_epochs) + float(arguments.epochs)
        # Half and half, as in L_CNN (eq. 8), which is their sum.
        hard = ("--distill", "hard", "--alpha", "0.5") if arguments.teacher else ()
        return vitprof("train", *shared, "--epochs", str(epochs), *hard)
    return vitprof(
        "prune",
        *shared,
        "--table",
        str(lut),
        "--target",
        arguments.target,
        "--prune-epochs",
        arguments.prune_epochs,
        "--epochs",
        arguments.epochs,
        "--alpha",
        arguments.alpha,
        *METHODS[method],
    )


def measured(models: dict[str, Path]) -> dict[str, float]:
    """Return the milliseconds of each, all measured interleaved."""
    given = [part for path in models.values() for part in ("--model", str(path))]
    answer = vitprof("bench", *given, "--sessions", "9")
    return dict(zip(models, (each["latency_ms"] for each in answer["results"]), strict=True))


def report(
    reports: dict[tuple[str, int], dict],
    ms: dict[str, float],
    methods: list[str],
    seeds: list[int],
    arguments: argparse.Namespace,
) -> str:
    itself = vitprof("eval", "--model", arguments.base, "--data", arguments.data)
    rows = [
        ["the base", "", f"{itself['top1']:.2%}", f"{ms['base']:.3f}", "1.00", "-", "-"],
    ]
    for method in methods:
        found = [reports[method, seed] for seed in seeds]
        times = [ms[f"{method}-{seed}"] for seed in seeds]
        bases = [ms.get(f"base-{seed}", ms["base"]) for seed in seeds]
        # Of the base as it was measured beside them: a table's milliseconds are another day's.
        shares = [
            each["target_ms"] / each["base"]["latency_ms"] if "base" in each else None
            for each in found
        ]
        rows.append(
            [
                TITLES[method],
                " / ".join(f"{each['top1']:.2%}" for each in found),
                f"{statistics.mean(each['top1'] for each in found):.2%}",
                " / ".join(f"{time:.3f}" for time in times),
                " / ".join(f"{b / t:.2f}" for b, t in zip(bases, times, strict=True)),
                " / ".join(
                    "-" if share is None else f"{time / (share * b) - 1:+.1%}"
                    for time, share, b in zip(times, shares, bases, strict=True)
                ),
                " / ".join(
                    f"{each['macs'] / 1e6:.0f}" if "macs" in each else "-" for each in found
                ),
            ]
        )
    taught = f"{arguments.augment} augmentation, " if arguments.augment != "light" else ""
    taught += f"`{arguments.recipe.strip()}`, " if arguments.recipe else ""
    taught += f"teacher {Path(arguments.teacher).name}, " if arguments.teacher else ""
    as_long = ", the base as many in all" if "base" in methods else ""
    text = heading("NViT on CIFAR-10") + (
        f"\nTarget {arguments.target}; {taught}{arguments.prune_epochs} epochs of pruning and "
        f"{arguments.epochs} of finetuning{as_long}; seeds "
        f"{', '.join(map(str, seeds))}. Latencies of all models measured interleaved, medians of "
        "9 sessions.\n\n"
    )
    text += table(("model", "top-1", "mean", "ms", "speed-up", "against the target", "MMACs"), rows)
    if "nvit" in methods:
        rivals = {"the base": dict.fromkeys(seeds, itself)} | {
            TITLES[other]: {seed: reports[other, seed] for seed in seeds}
            for other in methods
            if other != "nvit"
        }
        text += "\n" + table(
            ("top-1 points of latency-regularised minus", "by seed", "mean", "spread"),
            [difference(reports, name, rival, seeds) for name, rival in rivals.items()],
        )
    return text


def difference(
    reports: dict[tuple[str, int], dict], name: str, rival: dict[int, dict], seeds: list[int]
) -> list[str]:
    gains = [reports["nvit", s]["top1"] - rival[s]["top1"] for s in seeds]
    spread = statistics.stdev(gains) if len(gains) > 1 else float("nan")
    return [
        name,
        " / ".join(f"{100 * gain:+.2f}" for gain in gains),
        f"{100 * statistics.mean(gains):+.2f}",
        f"{100 * spread:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", default="nvit-run")
    parser.add_argument("--out")
    parser.add_argument("--target", default="0.51x")
    parser.add_argument("--epochs", default="2")
    parser.add_argument("--prune-epochs", default="0.5")
    parser.add_argument("--learning-rate", default="5e-4")
    parser.add_argument("--alpha", default="0")
    parser.add_argument("--augment", default="light")
    parser.add_argument("--recipe", default="", help="more options of train and prune, in one text")
    parser.add_argument("--teacher", help="a CNN: its class counts beside the label")
    parser.add_argument("--teacher-cache", help="with --augment none: keeps its answers")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--method", action="append", choices=METHODS)
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    lut = folder / "lut.csv"
    if not lut.exists():
        vitprof("measure", "--model", arguments.base, "--out", str(lut))
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    methods = arguments.method or list(METHODS)
    if arguments.jobs > 1:
        os.environ["OMP_NUM_THREADS"] = "1"
    # Seed by seed, so that what is done so far can be compared.
    runs = [(m, s) for s in seeds for m in methods]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = pool.map(lambda run: train(*run, lut, arguments), runs)
        reports = dict(zip(runs, done, strict=True))
    os.environ.pop("OMP_NUM_THREADS", None)
    ms = measured(
        {"base": Path(arguments.base)} | {f"{m}-{s}": folder / f"{m}-{s}" for m, s in reports}
    )
    publish(report(reports, ms, methods, seeds, arguments), arguments.out)


if __name__ == "__main__":
    main()
