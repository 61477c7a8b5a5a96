"""Predicted scores of neurons against full ones, and what λ changes: docs/results/optin-scoring.md.

    python benchmarks/optin_scoring.py --base VIT_FOLDER --data CIFAR_FOLDER [--folder scoring-run]

All on one thread, in seconds of the processor, so that other work counts little. Scoring every unit
in full takes ten minutes of these, the rest as long. The folder keeps what is done, and the same
call goes on from there; `--minutes` ends a call early.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from report import heading, publish, table
from scipy.stats import spearmanr
from vitprof import create_model
from vitprof.compress.cutting import keeping, smaller_model, with_fixed_scale
from vitprof.compress.groups import Groups
from vitprof.compress.optin.fast_errors import fast_errors, in_words, prediction_errors
from vitprof.compress.optin.mask_search import MaskSearch
from vitprof.compress.optin.predicted_errors import DRAWS, predicted_errors
from vitprof.compress.optin.sample import Sample
from vitprof.compress.optin.trajectory import Trajectory, importances, logits_scale
from vitprof.compress.optin.trajectory_score import Scoring, trajectory_errors
from vitprof.compress.optin.walk import walk_of
from vitprof.compress.run import TrainingContext
from vitprof.models.structures.prunable import prunable_of
from vitprof.training.data.datasets import load_dataset
from vitprof.training.evaluate import evaluate
from vitprof.training.model_folder import read_normalisation

IMAGES = 32
TARGETS = (0.7, 0.61, 0.55, 0.4)
TESTED = (0.55, 0.4)
# Full scores of as many images as take about as long as predictions, and of twice as many.
FEW_IMAGES = (1, 2)
WEIGHTS = (0.0, 0.1, 1.0, 10.0)
DEFAULT = f"predicted, {DRAWS} draws an image (the default)"
Errors = Mapping[str, torch.Tensor]
Units = Mapping[str, torch.Tensor]


class Study:
    """The base, its images, and what the folder keeps of errors and accuracies."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.folder = Path(arguments.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ends = time.process_time() + 60 * arguments.minutes
        base = arguments.base
        self.model = with_fixed_scale(create_model(base, checkpoint=base)).eval()
        self.walk = walk_of(self.model)
        self.data = load_dataset(arguments.data, None)
        self.norm = read_normalisation(Path(base)) or self.data.normalisation
        sample = Sample(TrainingContext(self.data, self.norm), seed=0)
        both = sample.images(2 * IMAGES)
        self.images, self.others = both[:IMAGES], both[IMAGES:]

    def errors(self, name: str, count: int, of: Callable[..., Errors]) -> tuple[Errors, float]:
        """Return errors by the first `count` images, and the seconds of the processor they took.

        of: called with walk, images, scoring, on_units and known.
        """
        path = self.folder / f"{name}-{count}.pt"
        state = torch.load(path) if path.exists() else {"errors": {}, "cpu": 0.0}
        if state.get("done"):
            return state["errors"], state["cpu"]
        started = time.process_time() - state["cpu"]
        kept = len(state["errors"])

        def keep(_done: int, _of: int, errors: Errors) -> None:
            nonlocal kept
            if len(errors) > kept:
                kept = len(errors)
                torch.save({"errors": dict(errors), "cpu": time.process_time() - started}, path)
                self.stop_if_due()

        errors = of(self.walk, self.images[:count], Scoring(), keep, state["errors"])
        seconds = time.process_time() - started
        torch.save({"errors": errors, "cpu": seconds, "done": True}, path)
        self.stop_if_due()
        return errors, seconds

    def of_other_images(self) -> tuple[Errors, float]:
        """Return what `fast_errors` does of as many other images."""

        def of(walk, _images, scoring, *_):
            return fast_errors(walk, self.others, scoring)

        return self.errors("others", IMAGES, of)

    def off(self) -> tuple[torch.Tensor, float]:
        """Return how far predictions are off, and the seconds that it took to tell."""
        path = self.folder / "off.pt"
        if not path.exists():
            errors, _ = self.errors("fast", IMAGES, fast_errors)
            started = time.process_time()
            off = prediction_errors(self.walk, self.images, Scoring(), errors)
            torch.save([off, time.process_time() - started], path)
        off, seconds = torch.load(path)
        return off, seconds

    def stop_if_due(self) -> None:
        if time.process_time() > self.ends:
            sys.exit(f"stopped after --minutes; the same call goes on from {self.folder}.")

    def with_draws(self, draws: int) -> tuple[Errors, float]:
        """Return what `fast_errors` does, with as many draws, and heads as they are in full.

        Of the default the seconds are those of telling the error too.
        """
        if draws == DRAWS:
            errors, seconds = self.errors("fast", IMAGES, fast_errors)
            return errors, seconds + self.off()[1]

        def of(walk, images, scoring, *_):
            neurons = [s for s in walk.sources if s.structure.kind == "mlp"]
            heads = [s for s in walk.sources if s.structure.kind != "mlp"]
            return {
                **trajectory_errors(replace(walk, sources=heads), images, scoring),
                **predicted_errors(
                    replace(walk, sources=neurons), images, scoring.trajectory, draws
                ),
            }

        return self.errors(f"draws-{draws}", IMAGES, of)

    @cached_property
    def full_macs(self) -> float:
        return float(self.model.spec.macs)

    def chosen(self, scores: Units, share: float) -> Units:
        """Return the units that stay at a share of the MACs."""
        return self._search(scores).choose(share * self.full_macs)

    def _search(self, scores: Units) -> MaskSearch:
        spec, prunable = self.model.spec, prunable_of(self.model.spec)
        structures = [s for s in prunable.structures(spec, True) if s.name in scores]
        with_units = partial(prunable.with_units, spec)
        groups = Groups.of("heads=1,mlp=16", 3)
        return MaskSearch.of(structures, scores, groups, with_units, macs_of)

    def top1(self, units: Units) -> float:
        """Return the accuracy on all test images with these units left, no layer fitted."""
        path = self.folder / "top1.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        chosen = repr(sorted((name, x.tolist()) for name, x in units.items()))
        key = hashlib.sha256(chosen.encode()).hexdigest()
        if key not in known:
            smaller = smaller_model(self.model, keeping(self.model, dict(units))).eval()
            known[key] = evaluate(smaller, self.data.test, self.norm).top(1)
            path.write_text(json.dumps(known))
            self.stop_if_due()
        return known[key]


def macs_of(specs) -> np.ndarray:
    return np.array([spec.macs for spec in specs], dtype=float)


def overlap(one: Units, other: Units) -> float:
    """Return how many of one's units the other has too, as a share of one's."""
    both = sum(len(np.intersect1d(units, other[name])) for name, units in one.items())
    return both / sum(len(units) for units in one.values())


def lost(scores: Units, units: Units) -> float:
    """Return the share of the total score that went with what did not stay."""
    total = sum(float(x.double().sum()) for x in scores.values())
    kept = sum(float(scores[name][x].double().sum()) for name, x in units.items())
    return 1 - kept / total


def against_full(study: Study) -> tuple[str, str]:
    """Return the tables of choices and of accuracies by the ways of scoring."""
    how = Trajectory()
    full, seconds = study.errors("full", IMAGES, trajectory_errors)
    reference = importances(how, full)
    best = {share: study.chosen(reference, share) for share in TARGETS}
    ways = [(f"in full, {IMAGES} images", full, seconds)]
    for draws in (4, DRAWS, 64):
        title = f"predicted, {draws} draws an image"
        ways.append(
            (title + (" (the default)" if draws == DRAWS else ""), *study.with_draws(draws))
        )
    ways.append((f"predicted, {DRAWS} draws, {IMAGES} other images", *study.of_other_images()))
    for count in FEW_IMAGES:
        title = f"in full, {count} image{'s' if count > 1 else ''}"
        ways.append((title, *study.errors("full", count, trajectory_errors)))
    rows, tested = [], []
    for title, errors, cpu in ways:
        scores = importances(how, errors)
        ranks = [spearmanr(scores[n], reference[n]).statistic for n in scores if n.endswith("mlp")]
        row = [title, f"{cpu:.0f}", f"{seconds / cpu:.1f} ×", f"{min(ranks):.3f}"]
        units = {share: study.chosen(scores, share) for share in TARGETS}
        for share, chosen in units.items():
            of_best = overlap(best[share], chosen)
            row.append(f"{of_best:.1%} / {lost(reference, chosen):.3%}")
        rows.append(row)
        if title in (ways[0][0], DEFAULT):
            tested.append([title, *(f"{study.top1(units[share]):.2%}" for share in TESTED)])
    names = ("scores", "CPU s", "faster", "worst rank correlation", *(f"{t}x" for t in TARGETS))
    return table(names, rows), table(("scores", *(f"top-1 at {t}x" for t in TESTED)), tested)


def of_weights(study: Study) -> str:
    """Return what λ changes, by the full errors."""
    full, _ = study.errors("full", IMAGES, trajectory_errors)
    before = 0.01 / logits_scale(full)
    cases = [(f"{weight:g}", importances(Trajectory(weight), full)) for weight in WEIGHTS]
    cases.insert(
        1, (f"{before:.0e} (0.01 between the bare errors)", importances(Trajectory(before), full))
    )
    cases.append(("the logits alone", {name: errors[1] for name, errors in full.items()}))
    without = {share: study.chosen(cases[0][1], share) for share in TESTED}
    rows = []
    for title, scores in cases:
        units = {share: study.chosen(scores, share) for share in TESTED}
        rows.append(
            [
                title,
                *(
                    f"{overlap(without[share], units[share]):.1%} / {study.top1(units[share]):.2%}"
                    for share in TESTED
                ),
            ]
        )
    return table(("λ", *(f"{t}x" for t in TESTED)), rows)


def of_deit_small(study: Study) -> str:
    """Return what both ways take for a DeiT-S, by what a few units and draws do."""
    path = study.folder / "deit-small.json"
    if not path.exists():
        torch.manual_seed(0)
        walk, some = walk_of(create_model("deit-small").eval()), 2
        images = torch.randn(some, 3, 224, 224)
        units, seconds = {}, {}
        for kind in ("heads", "mlp"):
            sources = [s for s in walk.sources if s.structure.kind == kind]
            units[kind] = sum(s.structure.units for s in sources)
            one = [s.only(torch.tensor([0])) for s in sources]
            started = time.process_time()
            trajectory_errors(replace(walk, sources=one), images, Scoring())
            seconds[kind] = (time.process_time() - started) / len(one) * IMAGES / some
        neurons = [s for s in walk.sources if s.structure.kind == "mlp"]
        started = time.process_time()
        predicted_errors(replace(walk, sources=neurons), images, Trajectory(), draws=2)
        seconds["draws"] = (time.process_time() - started) * IMAGES / some * DRAWS / 2
        path.write_text(json.dumps([units, seconds]))
    units, seconds = json.loads(path.read_text())
    heads = units["heads"] * seconds["heads"]
    full = heads + units["mlp"] * seconds["mlp"]
    fast = heads + 48 * seconds["mlp"] + seconds["draws"]
    rows = [
        ["in full", f"{full / 3600:.1f} h", ""],
        ["predicted", f"{fast / 60:.0f} min", f"{full / fast:.0f} ×"],
        ["– heads, in full", f"{heads / 60:.1f} min", ""],
        ["– 48 neurons, in full, to tell the error", f"{48 * seconds['mlp'] / 60:.1f} min", ""],
        [f"– {DRAWS} draws an image", f"{seconds['draws'] / 60:.1f} min", ""],
    ]
    return table(("scores", "of one processor", "faster"), rows)


def scoring_note(study: Study) -> str:
    """Return what `vitprof prune` says of its predictions."""
    off, seconds = study.off()
    words = in_words(off)
    return f"{words[0].upper()}{words[1:]}. (To tell that took {seconds:.0f} of the seconds.)\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", default="scoring-run")
    parser.add_argument("--minutes", type=float, default=1e6, help="Stop after so many, of CPU.")
    parser.add_argument("--out", help="Write the page there too.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(arguments)
    choices, accuracies = against_full(study)
    parts = [
        heading("OPTIN's scores, predicted"),
        f"The base: {len(study.walk.sources)} structures, "
        f"{sum(s.structure.units for s in study.walk.sources)} units, {IMAGES} training images of "
        "seed 0, one thread, seconds of the processor. Units that stay at a share of the MACs "
        "(`--groups heads=1,mlp=16`): how many of them full scores choose too / what share of "
        "the full scores went with the others.\n",
        choices,
        scoring_note(study),
        "Top-1 on the 10,000 test images, nothing trained and no layer fitted:\n",
        accuracies,
        "A DeiT-S at 224², by a few units and draws:\n",
        of_deit_small(study),
        "## What λ changes\n",
        "Units that stay, of those without the logits / top-1, by full errors:\n",
        of_weights(study),
    ]
    publish("\n".join(parts), arguments.out)


if __name__ == "__main__":
    main()
