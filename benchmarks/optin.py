"""Pruning in one shot on CIFAR-10, beside its rivals: docs/results/optin.md.

    python benchmarks/optin.py --base VIT_FOLDER --data CIFAR_FOLDER [--folder optin-run]

One scoring of 32 images serves all targets. Every method comes down to the same MACs and, by a
table measured here, to the same latency; nothing is trained. All models of a target are measured
side by side in one run. The folder keeps table, scores and models: the same call goes on from
there. More than an hour on two cores. --asked: only the three targets in MACs, and OPTIN with
images of three seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from fidelity import vitprof
from report import heading, publish, table
from vitprof import LatencyTable, create_model
from vitprof.compress.budget import Budget
from vitprof.compress.goal import Goal
from vitprof.compress.groups import Groups
from vitprof.compress.merging.random_merging import merging_at_random
from vitprof.compress.optin.method import METHOD
from vitprof.compress.optin.optin import OptinRun
from vitprof.compress.optin.options import OptinOptions
from vitprof.compress.optin.trajectory_score import Scoring, trajectory_scores
from vitprof.compress.optin.walk import walk_of
from vitprof.compress.run import PruningContext, TrainingContext
from vitprof.compress.targets import parse_targets
from vitprof.errors import UserError
from vitprof.training.data.datasets import load_dataset
from vitprof.training.evaluate import evaluate
from vitprof.training.model_folder import read_normalisation, write_model
from vitprof.training.saved_run import SavedRun

MACS = ("0.7x", "0.61x", "0.55x")
REACH = {"0.7x": 0.95, "0.61x": 1.9, "0.55x": 2.4}
LATENCIES = ("0.7x", "0.6x", "0.5x")
# Targets at which methods that merge tokens stand beside the others: further down merging alone
# would leave fewer tokens than the table covers.
ALL_METHODS = (("macs", "0.7x"), ("latency", "0.7x"), ("latency", "0.6x"))
SEEDS = (0, 1, 2)
IMAGES = 32


@dataclass(frozen=True)
class Method:
    title: str
    options: OptinOptions
    score: str = "trajectory"
    ranking: str | None = None
    random_too: bool = False


def options(**changed) -> OptinOptions:
    return OptinOptions(**{"score_images": IMAGES, **changed})


UNFITTED = options(reconstruct=0)
TOKENS = options(merge_only=True)
OPTIN = Method("OPTIN", UNFITTED)
FITTED = Method("OPTIN, last layers fitted", options())
JOINT = Method("joint scores, fitted", options(), "joint")
# More images, of which a fit of last layers makes more than the scores do.
MORE = {"score_images": 128, "reconstruct": 4096}
FITTED_MORE = Method("OPTIN, 4096 images fitted", options(**MORE))
JOINT_MORE = Method("joint scores, 4096 images fitted", options(**MORE), "joint")
BY_SEED = (FITTED, JOINT)
BY_MACS = Method("OPTIN, fitted, budgeted in MACs", options(), ranking="macs")
METHODS = [
    OPTIN,
    FITTED,
    JOINT,
    *(Method(score, UNFITTED, score) for score in ("magnitude", "taylor", "random")),
    *(Method(f"{score}, fitted", options(), score) for score in ("magnitude", "taylor", "random")),
    Method("tokens by trajectory", TOKENS, random_too=True),
    Method("tokens, constant (ToMe)", replace(TOKENS, schedule="constant"), random_too=True),
    Method("tokens, decreasing (ToMe)", replace(TOKENS, schedule="decreasing")),
    Method("OPTIN, fitted, and tokens", options(merge_tokens=True)),
]


def methods_at(unit: str, target: str) -> list[Method]:
    if (unit, target) in ALL_METHODS:
        return METHODS
    return [method for method in METHODS if method.options.parts == "units"]


class Study:
    """The base, its data and table, and the scores that all targets of a seed share."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.folder = Path(arguments.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.base = arguments.base
        # Merging needs blocks of every number of tokens; OPTIN alone does not.
        self.lut = self.folder / ("lut-units.csv" if arguments.asked else "lut.csv")
        merging = () if arguments.asked else ("--merging",)
        if not self.lut.exists():
            vitprof(
                "measure",
                "--model",
                self.base,
                *merging,
                "--sessions",
                "5",
                "--out",
                str(self.lut),
            )
        self.table = LatencyTable.read_csv(self.lut)
        self.data = load_dataset(arguments.data, None)
        self.norm = read_normalisation(Path(self.base)) or self.data.normalisation
        self.known: dict[str, OptinRun] = {}

    def model(self) -> torch.nn.Module:
        return create_model(self.base, checkpoint=self.base).eval()

    def run(self, method: Method, unit: str, target: str, seed: int = 0) -> OptinRun:
        """Return a run that is scored; of one score and seed only the first does the scoring."""
        budget, how, model = Budget(self.table, unit), method.options, self.model()
        key = f"{method.score}-{how.parts}-{how.schedule}-{how.score_images}-{seed}"
        if method.score == "joint":  # the images that are fitted to count
            key += f"-{how.reconstruct}"
        targets = parse_targets(target, float(budget.of([model.spec])[0]), unit)
        groups = Groups.of("heads=1,mlp=16", 3)
        context = PruningContext(
            model,
            Goal.of(
                model.spec,
                targets,
                budget,
                groups,
                kinds=METHOD.kinds,
                by_units=METHOD.goes_by_units(how),
            ),
            Budget(self.table, method.ranking or unit),
            TrainingContext(self.data, self.norm),
            method.score,
            seed,
            SavedRun(self.folder / "scores" / key, {"score": key}),
        )
        run = OptinRun(context, how)
        if key in self.known:
            run.scores, run.of_patches = self.known[key].scores, self.known[key].of_patches
            return run
        run.score()
        self.known[key] = run
        return run

    def result(self, method: Method, unit: str, target: str, seed: int = 0) -> dict:
        name = "".join(c if c.isalnum() else "_" for c in method.title)
        folder = self.folder / f"{unit}-{target}" / f"{name}-{seed}"
        known = folder / "result.json"
        if known.exists():
            return json.loads(known.read_text())
        try:
            run = self.run(method, unit, target, seed)
            model = run.cut(run.goal.targets[0])
        except UserError as error:
            return {"title": method.title, "refused": str(error)}
        spec = model.spec
        write_model(model, folder, self.norm)
        found = {
            "title": method.title,
            "top1": self.top1(model),
            "macs": spec.macs,
            "target": run.goal.targets[0].cost,
            "predicted_ms": float(self.table.predict_many([spec])[0]),
            "folder": str(folder),
            "merges": list(getattr(spec, "merges", ())),
        }
        if method.random_too:
            found["random_top1"] = self.top1(merging_at_random(model), by_chance=True)
        known.write_text(json.dumps(found))
        return found

    def top1(self, model: torch.nn.Module, by_chance: bool = False) -> float:
        """Return the accuracy; two ways to the same weights are tested once."""
        digest = hashlib.sha256(repr((model.spec, by_chance)).encode())
        for weight in model.state_dict().values():
            digest.update(weight.numpy().tobytes())
        known = self.folder / "top1" / digest.hexdigest()
        if known.exists():
            return float(known.read_text())
        found = evaluate(model, self.data.test, self.norm).top(1)
        assert found is not None
        known.parent.mkdir(exist_ok=True)
        known.write_text(str(found))
        return found


def suffix_over_full(study: Study, sample: int = 12) -> list[list[str]]:
    """Time scoring from the unit on against whole forward passes, on units of every layer."""
    walk = walk_of(study.model())
    some = replace(walk, sources=[first_of(source, sample) for source in walk.sources])
    units = sum(source.structure.units for source in some.sources)
    images = study.run(OPTIN, "macs", MACS[0]).sample.images(IMAGES)
    seconds, scores = {}, {}
    for from_unit in (True, False):
        started = time.perf_counter()
        scores[from_unit] = trajectory_scores(
            some, images, Scoring(from_unit=from_unit, units_at_once=6)
        )
        seconds[from_unit] = time.perf_counter() - started
    largest = max(
        float(((scores[True][n] - scores[False][n]).abs() / scores[True][n].abs()).max())
        for n in scores[True]
    )
    same = "the same numbers" if not largest else f"scores differ by at most {largest:.0e} of them"
    return [
        [
            f"scoring from the unit on against whole passes ({units} units of all layers)",
            "≥ 1.7 × faster, same scores",
            f"{seconds[False] / seconds[True]:.2f} × ({seconds[True]:.1f} against "
            f"{seconds[False]:.1f} s); {same}",
        ]
    ]


def first_of(source, count: int):
    """Return the source with its first units only, as many as `count`."""
    return source.only(torch.arange(min(count, source.structure.units)))


def scoring_times(study: Study) -> list[list[str]]:
    """Return how long scoring takes here, of the base and of a DeiT-S, by a sample of the units."""
    torch.manual_seed(0)
    models = (("the base", study.model(), 96), ("a DeiT-S", create_model("deit-small").eval(), 2))
    rows = []
    for title, model, sample in models:
        walk = walk_of(model)
        units = sum(source.structure.units for source in walk.sources)
        some = replace(walk, sources=[first_of(source, sample) for source in walk.sources])
        timed = sum(source.structure.units for source in some.sources)
        side = model.spec.resolution
        started = time.perf_counter()
        trajectory_scores(some, torch.randn(IMAGES, 3, side, side))
        minutes = (time.perf_counter() - started) * units / timed / 60
        took = f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
        threads = f"{torch.get_num_threads()} threads"
        rows.append(
            [
                f"scoring all {units} units of {title}, {IMAGES} images of {side}², {threads}",
                "stated",
                f"{took}, by {timed} of them",
            ]
        )
    return rows


def measured(study: Study, found: list[dict]) -> float:
    """Measure the base and the models side by side, in place; return the base's milliseconds."""
    made = [each for each in found if "refused" not in each]
    given = [
        part
        for path in (study.base, *(each["folder"] for each in made))
        for part in ("--model", path)
    ]
    base, *ms = (
        each["latency_ms"] for each in vitprof("bench", *given, "--sessions", "9")["results"]
    )
    for each, latency in zip(made, ms, strict=True):
        each["ms"] = latency
    return base


def table_of(found: list[dict], full: float, base_ms: float) -> str:
    rows = []
    for each in found:
        if "refused" in each:
            rows.append([each["title"], "refused", "", "", "", ""])
            continue
        points = f"{100 * (each['top1'] - full):+.2f}"
        rows.append(
            [
                each["title"],
                f"{each['top1']:.2%}",
                points,
                f"{each['macs'] / 1e6:.1f}",
                f"{each['ms']:.3f}",
                f"{each['ms'] / base_ms:.3f} ×",
            ]
        )
        if "random_top1" in each:
            loss = f"{100 * (each['random_top1'] - full):+.2f}"
            rows.append(["– merged at random", f"{each['random_top1']:.2%}", loss, "", "", ""])
    names = ("method", "top-1", "points", "MMACs", "ms", "of the base's")
    text = table(names, rows)
    for each in found:
        if "refused" in each:
            text += f"\n{each['title']}: {each['refused']}\n"
        elif any(each["merges"]):
            text += f"\n{each['title']} merges {', '.join(map(str, each['merges']))}.\n"
    return text


def by_seed(study: Study, full: float) -> str:
    """Return the losses at the targets in MACs, with the images of each seed."""
    rows = []
    for target in MACS:
        for method in BY_SEED:
            lost = [
                100 * (full - study.result(method, "macs", target, seed)["top1"]) for seed in SEEDS
            ]
            rows.append(
                [
                    target,
                    method.title,
                    " / ".join(f"{points:.2f}" for points in lost),
                    f"{mean(lost):.2f}",
                    f"≤ {REACH[target]}",
                ]
            )
    return table(("target", "method", "points lost", "mean", "asked"), rows)


def against_macs(study: Study) -> tuple[str, list[float], list[float], list[float]]:
    """Return the rows of latency- minus MACs-budgeted, the differences, and errors of latency.

    The errors are of the milliseconds against the target's, and of the share of the base's.
    """
    rows, every, of_ms, errors = [], [], [], []
    for target in LATENCIES:
        pairs = [
            [study.result(method, "latency", target, seed) for method in (FITTED, BY_MACS)]
            for seed in SEEDS
        ]
        base = measured(study, [each for pair in pairs for each in pair])
        of_ms += [each["ms"] / each["target"] - 1 for pair in pairs for each in pair[:1]]
        wanted = float(target[:-1])
        errors += [each["ms"] / base / wanted - 1 for pair in pairs for each in pair[:1]]
        differences = [100 * (by_table["top1"] - by_macs["top1"]) for by_table, by_macs in pairs]
        every += differences
        rows.append(
            [
                target,
                *(
                    " / ".join(f"{pair[nth]['top1']:.2%}" for pair in pairs)
                    + " at "
                    + " / ".join(f"{pair[nth]['ms'] / base:.3f}" for pair in pairs)
                    for nth in (0, 1)
                ),
                " / ".join(f"{points:+.2f}" for points in differences),
                f"{mean(differences):+.2f}",
            ]
        )
    names = ("target", "budgeted in latency: top-1, of the base's ms", "in MACs", "points", "mean")
    return table(names, rows), every, of_ms, errors


def fidelity(study: Study) -> list[str]:
    saved = study.folder / "validate.json"
    found = (
        json.loads(saved.read_text())
        if saved.exists()
        else vitprof("validate", "--table", str(study.lut), "--samples", "30")
    )
    saved.write_text(json.dumps(found))
    errors = found["table"]
    return [
        "the table on 30 unseen models, half of which merge tokens",
        "",
        f"MAPE {errors['mape']:.2%}, worst {errors['worst']:.1%} (measured again: "
        f"{found['noise_floor']['mape']:.2%})",
    ]


# What the picture shows, and how.
SHOWN = {
    "OPTIN, last layers fitted": ("tab:blue", "o-"),
    "OPTIN": ("tab:blue", "o--"),
    "joint scores, fitted": ("tab:cyan", "o-"),
    "taylor, fitted": ("tab:orange", "s-"),
    "taylor": ("tab:orange", "s--"),
    "magnitude": ("tab:green", "^--"),
    "random": ("0.6", "v--"),
    "tokens by trajectory": ("tab:red", "D-"),
    "tokens, decreasing (ToMe)": ("tab:purple", "d-"),
}


# Below this, top-1 in per cent leaves the picture: chance would squeeze all else.
LEAST_SHOWN = 40


def draw(lines: dict[str, list[tuple[float, float]]], base: tuple[float, float], path: str) -> None:
    """Draw top-1 over measured milliseconds, a line a method, through the models of all targets."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5.6), layout="constrained")
    for title, (color, style) in SHOWN.items():
        points = sorted([*lines.get(title, []), base])
        shown = within_frame(points)
        axes.plot(*zip(*shown, strict=True), style, color=color, label=title, markersize=5)
        if shown[0] not in points:
            lowest = min(top1 for _, top1 in points)
            axes.annotate(
                f"down to {lowest:.0f} %",
                shown[0],
                xytext=(-6, 4),
                textcoords="offset points",
                ha="right",
                color="0.4",
                fontsize=8,
            )
    axes.plot(*base, "k*", markersize=13, label="the unpruned model", zorder=5)
    axes.set_title("OPTIN on CIFAR-10: nothing is trained after pruning", fontsize=11)
    axes.set_xlabel("measured latency, ms")
    axes.set_ylabel("top-1, %")
    axes.set_ylim(bottom=LEAST_SHOWN)
    axes.grid(True, alpha=0.3)
    # Below the axes: lines may pass through every corner.
    figure.legend(fontsize=8, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)


def within_frame(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that the picture has room for; a line to one below ends at the frame."""
    kept = [point for point in points if point[1] >= LEAST_SHOWN]
    below = [point for point in points if point[1] < LEAST_SHOWN and point[0] < kept[0][0]]
    if below:
        (x, y), (right, top) = below[-1], kept[0]
        kept.insert(0, (x + (LEAST_SHOWN - y) / (top - y) * (right - x), float(LEAST_SHOWN)))
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", default="optin-run")
    parser.add_argument("--out")
    parser.add_argument("--picture", default="")
    parser.add_argument("--asked", action="store_true", help="only OPTIN, by MACs; no picture")
    arguments = parser.parse_args()
    study = Study(arguments)
    full = study.top1(study.model())
    details, summary = "", []
    lines: dict[str, list[tuple[float, float]]] = {}
    ways = (("macs", MACS),) if arguments.asked else (("macs", MACS), ("latency", LATENCIES))
    for unit, targets in ways:
        for target in targets:
            methods = methods_at(unit, target)
            if arguments.asked:
                methods = [m for m in METHODS if m.options.parts == "units"]
                methods += [FITTED_MORE, JOINT_MORE]
            found = [study.result(method, unit, target) for method in methods]
            base_ms = measured(study, found)
            of_what = "MACs" if unit == "macs" else "latency"
            details += f"\n## {target} of the {of_what}\n\n{table_of(found, full, base_ms)}"
            if unit == "latency":
                for each in found:
                    if "ms" in each:
                        lines.setdefault(each["title"], []).append((each["ms"], 100 * each["top1"]))
            if unit == "macs":
                lost = [100 * (full - each["top1"]) for each in found[:3]]
                summary.append(
                    [
                        f"top-1 loss at {target} MACs, in points",
                        f"≤ {REACH[target]}",
                        f"{lost[1]:.2f} (last layers as they were: {lost[0]:.2f}; joint scores: "
                        f"{lost[2]:.2f})",
                    ]
                )
    if arguments.asked:
        details = f"\n## Images of three seeds\n\n{by_seed(study, full)}{details}"
        publish(_page(study, full, summary, details), arguments.out)
        return
    rows, differences, of_ms, errors = against_macs(study)
    summary += [
        [
            "at equal latency, latency-budgeted minus MACs-budgeted, in points",
            "≥ 0",
            f"mean {mean(differences):+.2f}, {min(differences):+.2f} to {max(differences):+.2f}",
        ],
        *suffix_over_full(study),
        [
            "measured latency against the target, latency-budgeted",
            "within 5 %",
            f"{100 * min(of_ms):+.1f} to {100 * max(of_ms):+.1f} % of its ms; as a share of the "
            f"base measured beside it {100 * min(errors):+.1f} to {100 * max(errors):+.1f} %",
        ],
        fidelity(study),
        *scoring_times(study),
    ]
    text = _page(study, full, summary, details)
    text += f"\n## Budgeted in latency or in MACs, at equal latency by the table\n\n{rows}"
    text += f"\nOPTIN, last layers fitted; images of seeds {', '.join(map(str, SEEDS))}.\n"
    publish(text, arguments.out)
    draw(lines, (base_ms, 100 * full), arguments.picture or str(study.folder / "one-shot.png"))


def _page(study: Study, full: float, summary: list[list[str]], details: str) -> str:
    text = heading("OPTIN on CIFAR-10")
    text += f"\nThe base: top-1 {full:.2%}, {study.model().spec.macs / 1e6:.1f} MMACs. Nothing is "
    text += f"trained; {IMAGES} training images are scored on, 512 fit last layers.\n\n"
    return text + table(("asked", "target", "measured"), summary) + details


if __name__ == "__main__":
    main()
