"""Where obeying a table differs from obeying MACs, in pruning: docs/results/latency-term.md.

    python benchmarks/latency_term.py --base VIT_FOLDER --data CIFAR_FOLDER [--folder term-run]
        [--measure] [--phone pixel6.json] [--nvit latency_head.json] [--swin swin.csv] [--quick]

NViT's selection and OPTIN's mask search choose units of the same model by a table and by MACs, at
the same latency by that table; nothing is trained. Tables: this machine's in several settings
(`--measure` measures what is missing, two to six minutes a setting; a run that was stopped goes
on), and those of other tools. Of the trained base the scores are one scoring of OPTIN, kept in the
folder, and gradients for NViT, and the accuracy of what is left is tested. The other tables fit no
trained model here: there scores are drawn at random, and accuracy is not known. `--quick`: few
images and seeds, under two minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from latency_term_case import Case, Kept, Pair
from latency_term_tables import MEASURED, drawn_cases, table_at
from report import heading, publish, table
from torch import nn
from vitprof import LatencyTable, create_model
from vitprof.compress.cutting import keeping, smaller_model, with_fixed_scale
from vitprof.compress.groups import Groups
from vitprof.compress.nvit.importance import Importance
from vitprof.compress.optin.sample import Sample
from vitprof.compress.optin.saved_scores import saved_scores
from vitprof.compress.optin.trajectory_score import Scoring
from vitprof.compress.optin.walk import ONE_SHOT, walk_of
from vitprof.compress.run import TrainingContext
from vitprof.compress.targets import floors_of
from vitprof.models.structures.prunable import prunable_of
from vitprof.training.data.datasets import load_dataset
from vitprof.training.distillation import DistillationLoss
from vitprof.training.evaluate import evaluate
from vitprof.training.model_folder import read_normalisation
from vitprof.training.saved_run import SavedRun

# Of the milliseconds that can go, the shares that have gone.
GONE = (0.25, 0.5, 0.75)
METHODS: dict[str, Callable[[Case, float], Pair]] = {"OPTIN": Case.optin, "NViT": Case.nvit}
COLUMNS = (
    "table",
    "method",
    "of the latency",
    "score lost by the table",
    "by MACs",
    "ratio",
    "ms by the table",
    "by MACs",
    "same widths",
)
DRAWN_SEEDS = range(10)


@dataclass(frozen=True)
class Size:
    """How much is looked at: images scored on, tested on, batches of gradients, seeds."""

    scored: int = 8
    tested: int = 3000
    batches: int = 16
    seeds: Sequence[int] = DRAWN_SEEDS


QUICK = Size(scored=2, tested=500, batches=2, seeds=range(2))
# Images a batch of gradients.
BATCH = 64


class Base:
    """The trained model: its scores, and the accuracy of what is left of it."""

    def __init__(self, base: str, data: str, folder: Path, size: Size) -> None:
        self.size, self.folder, self.path = size, folder, base
        self.model = with_fixed_scale(create_model(base, checkpoint=base)).eval()
        self.data = load_dataset(data, None)
        self.norm = read_normalisation(Path(base)) or self.data.normalisation
        self.test = self.data.test.take(range(min(size.tested, len(self.data.test))))
        self.groups = Groups.of("heads=1,mlp=16", 3)
        self.tested: dict[str, float] = {}
        self.full = self.top1(self.model)
        sample = Sample(TrainingContext(self.data, self.norm), seed=0)
        self.scores = saved_scores(
            walk_of(self.model, ONE_SHOT),
            sample.inputs(size.scored),
            Scoring(),
            SavedRun(folder / f"scores-{size.scored}", {"images": size.scored}),
        ).scores
        self.importance = self._importance(sample)

    def _importance(self, sample: Sample) -> Importance:
        """Return NViT's importance of all units, of gradients alone: no step is taken."""
        importance = Importance("hessian")
        spec = self.model.spec
        structures = prunable_of(spec).structures(spec, True)  # type: ignore[arg-type]
        images, labels = sample.labelled(self.size.batches * BATCH)
        for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            self.model.zero_grad()
            DistillationLoss()(self.model, x, y).backward()
            importance.observe(structures, self.model)
        self.model.zero_grad()
        return importance

    def case(self, setting: str, lut: LatencyTable) -> Case:
        spec = self.model.spec
        floors = floors_of(spec, lut, self.groups)  # type: ignore[arg-type]
        return Case(
            setting, spec, lut.predict_many, self.groups, floors, self.scores, self.importance
        )  # type: ignore[arg-type]

    def accuracy(self, kept: Kept) -> float:
        return self.top1(smaller_model(self.model, keeping(self.model, kept.units)).eval())

    def top1(self, model: nn.Module) -> float:
        # Two choices of the same units are tested once.
        key = json.dumps([[*x.shape, float(x.detach().double().sum())] for x in model.parameters()])
        if key not in self.tested:
            found = evaluate(model, self.test, self.norm).top(1)
            assert found is not None
            self.tested[key] = found
        return self.tested[key]


def share_of(case: Case, gone: float) -> float:
    """Return the target as a share of the latency; `gone`: of what can go."""
    least = float(case.ms_of([case.spec_with(case.floors)])[0]) / case.full_ms
    return 1 - gone * (1 - least)


def ratio_of(pairs: Sequence[Pair]) -> float:
    """Return what the MACs lose over what the table loses."""
    lost = [
        1 - mean(kept.score for kept in every) for every in zip(*map(_both, pairs), strict=True)
    ]
    return lost[1] / lost[0] if lost[0] else 1.0


def _both(pair: Pair) -> tuple[Kept, Kept]:
    return pair.by_table, pair.by_macs


def row_of(case: Case, method: str, share: float, pairs: Sequence[Pair]) -> list[str]:
    by_table, by_macs = zip(*map(_both, pairs), strict=True)
    same = sum(pair.is_same for pair in pairs)
    return [
        case.setting,
        method,
        f"{share:.3f}x",
        *(f"{1 - mean(each.score for each in every):.3%}" for every in (by_table, by_macs)),
        f"{ratio_of(pairs):.3f} ×",
        *(f"{mean(each.ms for each in every):.4g}" for every in (by_table, by_macs)),
        f"{same} of {len(pairs)}" if len(pairs) > 1 else ("yes" if same else "no"),
    ]


def prices_of(case: Case) -> list[str]:
    """Return what a MAC costs where, over the mean of all that can go."""
    prices, kinds = case.prices(), {s.name: s.kind for s in case.structures}
    means = {
        kind: mean(price for name, price in prices.items() if kinds[name] == kind)
        for kind in dict.fromkeys(kinds[name] for name in prices)
    }
    of_kinds = ", ".join(f"{kind} {price:.2f}" for kind, price in means.items())
    least, most = min(prices.values()), max(prices.values())
    return [case.setting, f"{least:.2f} to {most:.2f}", of_kinds]


def of_base(
    base: Base, settings: Sequence[tuple[str, LatencyTable]]
) -> tuple[str, list[list[str]]]:
    """Return the rows of the trained base, with the accuracy of what is left, and its prices."""
    rows, prices = [], []
    for setting, lut in settings:
        every = base.case(setting, lut)
        prices.append(prices_of(every))
        for method, case in cases_of(every):
            for gone in GONE:
                share = share_of(case, gone)
                pair = METHODS[method](case, share)
                top1 = [base.accuracy(kept) for kept in (pair.by_table, pair.by_macs)]
                rows.append(
                    [
                        *row_of(case, method, share, [pair]),
                        *(f"{each:.2%}" for each in top1),
                        f"{100 * (top1[0] - top1[1]):+.2f}",
                    ]
                )
    columns = (*COLUMNS, "top-1 by the table", "by MACs", "points")
    return table(columns, rows), prices


def cases_of(case: Case) -> list[tuple[str, Case]]:
    """Return each method's case: of the structures that it takes units of."""
    return [("OPTIN", case.only(case.scores)), ("NViT", case.only(case.importance.of))]


def of_drawn(cases: Sequence[Case]) -> list[list[str]]:
    rows = []
    for nth, method in enumerate(METHODS):
        of_method = [cases_of(case)[nth][1] for case in cases]
        for gone in GONE:
            share = share_of(of_method[0], gone)
            pairs = [METHODS[method](case, share) for case in of_method]
            rows.append(row_of(of_method[0], method, share, pairs))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", help="Folder of the trained ViT.")
    parser.add_argument("--data", help="Its images.")
    parser.add_argument("--folder", default="term-run", help="Keeps scores and tables.")
    parser.add_argument("--settings", default=";".join(MEASURED), help="Of this machine.")
    parser.add_argument("--measure", action="store_true", help="Measure tables that are missing.")
    parser.add_argument("--phone", help="nn-Meter's table of a Pixel 6.")
    parser.add_argument("--nvit", help="NViT's own table.")
    parser.add_argument("--swin", help="A table of Swin-T of this machine.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", help="Write the page there too.")
    arguments = parser.parse_args()
    size, folder = QUICK if arguments.quick else Size(), Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    parts, prices = [heading("The latency term")], []
    if arguments.base:
        found = {
            setting: table_at(folder, arguments.base, setting, arguments.measure)
            for setting in arguments.settings.split(";")
        }
        settings = [(setting, lut) for setting, lut in found.items() if lut is not None]
        missing = [setting for setting, lut in found.items() if lut is None]
        if missing:
            parts.append(f"Not measured here: {'; '.join(missing)}.\n")
        if settings:
            base = Base(arguments.base, arguments.data, folder, size)
            text, prices = of_base(base, settings)
            parts.append(
                f"## The trained base\n\nTop-1 {base.full:.2%} on {len(base.test):,} test images; "
                f"{size.scored} images scored on, {size.batches * BATCH} for gradients; nothing is "
                f"trained or fitted.\n\n{text}"
            )
    rows = []
    for cases in drawn_cases(arguments.nvit, arguments.phone, arguments.swin, size.seeds):
        prices.append(prices_of(cases[0]))
        rows += of_drawn(cases)
    if rows:
        parts.append(
            f"## Tables that no trained model here fits\n\nScores drawn at random, the mean of "
            f"{len(size.seeds)} seeds; the accuracy is not known.\n\n{table(COLUMNS, rows)}"
        )
    names = ("table", "of single structures", "mean by kind")
    parts.append(f"## What a MAC costs, over the mean of what can go\n\n{table(names, prices)}")
    publish("\n".join(parts), arguments.out)


if __name__ == "__main__":
    main()
