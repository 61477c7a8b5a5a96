"""The models that pruning made: tested, measured, written, and shown."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic_write import holds_something, write_atomically
from ..errors import UserError
from ..notes import note
from ..results import Curve, Result
from .handed_back import hand_back, is_foreign

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from ..compress.nvit.redistribution import Sensitivity
    from ..compress.run import PrunedRun, PruningContext
    from ..compress.subject import Subject
    from ..compress.targets import Target
    from ..models import Spec
    from ..progress import OnProgress
    from ..tables import Setting
    from ..tables.speed import Speed
    from ..training.history import HistoryRow

# What models are compared by in a picture: the first of these that is known of all.
COMPARED = ("top1", "miou", "agreement_miou")
# The unpruned model's spec, beside the results: what they are compared with by another table.
BASE = "base.json"


@dataclass(frozen=True)
class PrunedModel:
    """One target's model, or the unpruned one, whose target is None.

    path: the folder with its files; target_ms: None where the target is not a latency; figures: of
    the test data, shares from 0 to 1; others: what else the report says; loader: the lines of
    load.py, where the weights came from elsewhere. predicted_ratio, measured_ratio: the latency
    over the unpruned model's, both by the table, and both measured in the same interleaved rounds.
    """

    spec: Spec
    path: Path | None
    predicted_ms: float
    measured_ms: float | None = None
    target: str | None = None
    target_ms: float | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    loader: str | None = None
    predicted_ratio: float = 1.0
    measured_ratio: float | None = None

    @property
    def ms(self) -> float:
        """The latency, measured where it was, else predicted."""
        return self.measured_ms or self.predicted_ms

    @property
    def top1(self) -> float | None:
        """How often the class is right, from 0 to 1; None where that was not tested."""
        return self.figures.get("top1")


@dataclass(repr=False)
class PruneResult(Result):
    """The unpruned model and those of the targets, the largest first.

    sensitivities: what a unit of each structure matters and costs, None where that is not known;
    stable: whether all measurements are; rank: of several processes the first, 0, tests and writes,
    and the others know no figures; at: the speed of the machine that latencies are at; rows: loss
    and learning rate over the steps of training, where there was any.
    """

    base: PrunedModel
    models: Sequence[PrunedModel]
    setting: Setting
    out: Path
    method: str
    sensitivities: Sequence[Sensitivity] | None = None
    stable: bool = True
    rank: int = 0
    at: Speed | None = None
    rows: Sequence[HistoryRow] = ()

    @property
    def best(self) -> PrunedModel:
        """The model of the smallest target."""
        return self.models[-1]

    @property
    def title(self) -> str:
        targets = ", ".join(str(model.target) for model in self.models)
        where = f"{self.setting.device}, {self.setting.backend}"
        return f"{self.base.spec.name} pruned by {self.method} to {targets} ({where})"

    def report(self) -> dict[str, Any]:
        from ..compress.nvit.redistribution import by_kind

        base, models = self.base, [self._record(model) for model in self.models]
        report: dict[str, Any] = {
            "base": {
                "model": base.spec.name,
                **base.others,
                "latency_ms": base.predicted_ms,
                "predicted_ms": base.predicted_ms,
                "measured_ms": base.measured_ms,
                "macs": base.spec.macs,
                "params": base.spec.params,
                **base.figures,
            },
        }
        if self.sensitivities is not None:
            report["sensitivity"] = [vars(each) for each in by_kind(self.sensitivities)]
        report |= {"setting": self.setting.as_dict(), "at": self.at, "models": models}
        return report if len(models) > 1 else report | models[0]

    def _record(self, model: PrunedModel) -> dict[str, Any]:
        return {
            "target": model.target,
            "predicted_ms": model.predicted_ms,
            "measured_ms": model.measured_ms,
            "target_ms": model.target_ms,
            "predicted_ratio": model.predicted_ratio,
            "measured_ratio": model.measured_ratio,
            "speedup": self.base.ms / model.ms,
            "params": model.spec.params,
            "macs": model.spec.macs,
            **model.figures,
            "out": str(model.path),
            **model.others,
            **({} if model.loader is None else {"loader": model.loader}),
        }

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        rows = [
            {
                "model": model.spec.name,
                "target": model.target,
                "target_ms": model.target_ms,
                "predicted_ms": model.predicted_ms,
                "measured_ms": model.measured_ms,
                "predicted_ratio": model.predicted_ratio,
                "measured_ratio": model.measured_ratio,
                "speedup": self.base.ms / model.ms,
                "macs": model.spec.macs,
                "params": model.spec.params,
                **model.figures,
            }
            for model in (self.base, *self.models)
        ]
        return pd.DataFrame(rows)

    def curves(self) -> Sequence[Curve]:
        from ..training.history import history_curves

        return history_curves(self.rows)

    def figure(self) -> Figure:
        """Return widths before and after; of several targets what is kept over the latency."""
        from ..compress.nvit.redistribution import widths
        from ..compress.nvit.redistribution_plot import draw_redistribution
        from ..compress.pruned_plot import draw_over_latency

        every = (self.base, *self.models)
        for name in COMPARED if len(self.models) > 1 else ():
            shares = [model.figures.get(name) for model in every]
            if all(share is not None for share in shares):
                names = [model.target or model.spec.name for model in every]
                found = [share for share in shares if share is not None]
                made = draw_over_latency(names, [model.ms for model in every], found, name)
                break
        else:
            shape = widths(self.base.spec, self.best.spec)
            made = draw_redistribution(shape, self.sensitivities or ())
        made.suptitle(self.title)
        return made

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Copy what the run wrote into another folder; UserError where that holds something."""
        if holds_something(folder):
            raise UserError(f"{folder} is not empty; give another folder.")
        shutil.copytree(self.out, folder, dirs_exist_ok=True)


def finished(
    run: PrunedRun,
    context: PruningContext,
    subject: Subject,
    method: str,
    verify: bool,
    on_progress: OnProgress,
) -> PruneResult:
    """Test the models, measure them if asked to, and write them all with their reports."""
    table = context.goal.budget.table
    result = untested(run, context, subject, method)
    wholes = [subject.whole(run.base, model) for model in run.models]
    figures = subject.test([run.base, *wholes], context.training, on_progress)
    every = [result.base, *result.models]
    measured: Sequence[float | None] = [None] * len(every)
    if verify:
        from ..profiler.remeasure import verified_ms

        purpose = f"vitprof prune --table {table.source} --verify"
        specs = [model.spec for model in every]
        measured, result.stable = verified_ms(
            table, specs, purpose, on_progress, beside=result.base.spec
        )
    result.base, *result.models = (
        replace(model, measured_ms=ms, measured_ratio=_over(ms, measured[0]), figures=found)
        for model, ms, found in zip(every, measured, figures, strict=True)
    )
    for model, whole, pruned in zip(run.models, wholes, result.models, strict=True):
        assert pruned.path is not None
        subject.write(whole, pruned.spec, pruned.path, context.training)
        _write_beside(model, pruned, run, context)
    if is_foreign(subject.weights):
        result.models = [
            replace(pruned, loader=hand_back(model, pruned.path, subject.weights))
            for model, pruned in zip(run.models, result.models, strict=True)
            if pruned.path is not None
        ]
    write_atomically(context.saved.folder / BASE, result.base.spec.to_json() + "\n")
    report = result.report()
    if len(result.models) > 1:
        for pruned, record in zip(result.models, report["models"], strict=True):
            assert pruned.path is not None
            text = json.dumps({"base": report["base"], **record}, indent=2) + "\n"
            write_atomically(pruned.path / "report.json", text)
    for pruned in result.models:
        if pruned.top1 is not None:
            context.saved.history.tested(f"finetuning {pruned.target}", pruned.top1)
    result.rows = tuple(context.saved.history.rows)
    context.saved.finish(report, *run.leftovers)
    return result


def untested(run: PrunedRun, context: PruningContext, subject: Subject, method: str) -> PruneResult:
    """Return the run's models with their predicted latencies, named after their targets."""
    goal, out = context.goal, context.saved.folder
    for model, target in zip(run.models, goal.targets, strict=True):
        spec: Any = model.spec
        model.spec = replace(spec, name=f"{goal.spec.name}-{target.text}")
    specs: list[Any] = [goal.spec, *(model.spec for model in run.models)]
    base_ms, *predicted = (float(ms) for ms in goal.budget.table.predict_many(specs))
    others = run.figures or [{}] * len(run.models)
    models = [
        PrunedModel(
            spec,
            out if len(goal.targets) == 1 else out / target.text,
            ms,
            target=target.text,
            target_ms=_ms_of(target, context),
            others=figures,
            predicted_ratio=ms / base_ms,
        )
        for spec, ms, target, figures in zip(
            specs[1:], predicted, goal.targets, others, strict=True
        )
    ]
    base = PrunedModel(goal.spec, None, base_ms, others=subject.about)
    rank = context.training.processes.rank
    table = goal.budget.table
    return PruneResult(
        base,
        models,
        table.setting,
        out,
        method,
        run.sensitivities,
        rank=rank,
        at=table.stated_at,
    )


def _over(ms: float | None, base_ms: float | None) -> float | None:
    return None if ms is None or base_ms is None else ms / base_ms


def _ms_of(target: Target, context: PruningContext) -> float | None:
    return target.cost if context.goal.budget.unit == "latency" else None


def _write_beside(
    model: nn.Module, pruned: PrunedModel, run: PrunedRun, context: PruningContext
) -> None:
    """Write the ONNX file, and where pruning took what."""
    from ..compress.nvit.redistribution import sensitivities_to_csv, to_csv, widths
    from ..compress.nvit.redistribution_plot import plot_redistribution
    from ..profiler.deployed.onnx_file import onnx_of

    folder, table = pruned.path, context.goal.budget.table
    assert folder is not None
    write_atomically(folder / "model.onnx", onnx_of(model, table))
    if run.two_four:
        _write_sparsity(model, folder / "sparsity.csv")
    shape = widths(context.spec, pruned.spec)
    write_atomically(folder / "redistribution.csv", to_csv(shape))
    if run.sensitivities:
        text = sensitivities_to_csv(run.sensitivities)
        write_atomically(folder / "sensitivity.csv", text)
    picture = folder / "redistribution.png"
    what = f"{context.spec.name or 'the model'} at {pruned.target}"
    plot_redistribution(shape, run.sensitivities or (), table.setting, picture, what)


def _write_sparsity(model: nn.Module, path: Path) -> None:
    """Write which layers are 2:4, and of the others why not; and tell how many."""
    from ..backends.tensorrt.sparsity import sparsity_report

    layers = sparsity_report(model, "fp16")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("layer", "outputs", "inputs", "sparse", "why_not"))
    for each in layers:
        sparse = "yes" if each.eligible else "no"
        writer.writerow(
            (each.name, each.out_features, each.in_features, sparse, each.why_not or "")
        )
    write_atomically(path, text.getvalue())
    dense = [each for each in layers if not each.eligible]
    note(f"2:4: {len(layers) - len(dense)} of {len(layers)} layers; {path} lists all.")
    for each in dense:
        note(f"not 2:4: {each.name}: {each.why_not}.")
