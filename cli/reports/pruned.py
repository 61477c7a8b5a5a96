"""What `vitprof prune` writes: models, ONNX files, reports and pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic_write import write_atomically
from ..options.training import step_bar
from ..output import note

if TYPE_CHECKING:
    from torch import nn

    from ...compress.run import PruningRun
    from ...tables import LatencyTable


@dataclass
class Results:
    """A pruning run that is done, its models in the order of the targets, and the report."""

    run: PruningRun
    models: Sequence[nn.Module]
    table: LatencyTable
    out: Path
    unit: str
    sparsity: str = "dense"
    random_merging: bool = False
    report: dict[str, Any] = field(default_factory=dict)

    def folder(self, nth: int) -> Path:
        """Return where the nth target's files go: the run's own folder where it is the only one."""
        return self.out if len(self.models) == 1 else self.out / self.run.targets[nth].text


def write_results(results: Results, verify: bool, quiet: bool) -> bool:
    """Write everything and fill in the report; return whether all measurements are stable."""
    from ...compress.nvit.redistribution import by_kind, sensitivities_to_csv, to_csv, widths
    from ...compress.nvit.redistribution_plot import plot_redistribution
    from ...training.data.texts import TextDataset
    from ...training.data.tokenizer import write_files
    from ...training.evaluate import evaluate
    from ...training.model_folder import write_model

    run, table = results.run, results.table
    with step_bar(not quiet) as show:
        found = [
            evaluate(
                model.to(run.work.device), run.work.data.test, run.work.norm,
                on_progress=show,
            )
            for model in (run.model, *results.models)
        ]  # fmt: skip
    for model, target in zip(results.models, run.targets, strict=True):
        named: Any = model.spec
        model.spec = replace(named, name=f"{run.spec.name}-{target.text}")
    specs: list[Any] = [run.spec, *(model.spec for model in results.models)]
    predicted = [float(ms) for ms in table.predict_many(specs)]
    measured: Sequence[float | None] = [None] * len(specs)
    stable = True
    if verify:
        from ..measured_models import measured_like

        command = f"vitprof prune --table {table.source} --verify"
        measured, stable = measured_like(table, specs, command, quiet)
    results.report = {
        "base": {
            "model": run.spec.name, "latency_ms": predicted[0], "measured_ms": measured[0],
            "macs": run.spec.macs, "params": run.spec.params, **found[0].as_dict(),
        },
        "sensitivity": [vars(each) for each in by_kind(run.sensitivities)],
        "setting": table.setting.as_dict(),
    }  # fmt: skip
    of_all = []
    for nth, model in enumerate(results.models):
        folder, spec, target = results.folder(nth), specs[nth + 1], run.targets[nth]
        write_model(model, folder, run.work.norm)
        if isinstance(run.work.data, TextDataset):
            write_files(run.work.data.files, folder)
        write_atomically(folder / "model.onnx", onnx_of(model, table))
        if results.sparsity == "2:4":
            _write_sparsity(model, folder / "sparsity.csv")
        shape = widths(run.spec, spec)
        write_atomically(folder / "redistribution.csv", to_csv(shape))
        if run.sensitivities:
            text = sensitivities_to_csv(run.sensitivities)
            write_atomically(folder / "sensitivity.csv", text)
        plot_redistribution(shape, run.sensitivities, table.setting, folder / "redistribution.png")
        ms = measured[nth + 1] or predicted[nth + 1]
        of_all.append(
            {
                "target": target.text,
                "predicted_ms": predicted[nth + 1],
                "measured_ms": measured[nth + 1],
                "target_ms": target.cost if results.unit == "latency" else None,
                "speedup": (measured[0] or predicted[0]) / ms,
                "params": spec.params,
                "macs": spec.macs,
                **found[nth + 1].as_dict(),
                "out": str(folder),
                **(
                    _at_random(results, model)
                    if results.random_merging and any(spec.merges)
                    else {}
                ),
            }
        )
    results.report["models"] = of_all
    if len(of_all) == 1:
        results.report |= of_all[0]
    else:
        for nth, each in enumerate(of_all):
            own = {"base": results.report["base"], **each}
            text = json.dumps(own, indent=2) + "\n"
            write_atomically(results.folder(nth) / "report.json", text)
    leftovers = [f"{what}-{t.text}" for t in run.targets for what in ("pruned", "finetuned")]
    run.saved.finish(results.report, *leftovers)
    return stable


def _at_random(results: Results, model: nn.Module) -> dict[str, float | None]:
    """Return the accuracy with as many tokens merged, but at random, where that is asked for."""
    spec: Any = model.spec
    if not (results.random_merging and any(spec.merges)):
        return {}
    from ...compress.merging.random_merging import merging_at_random
    from ...training.evaluate import evaluate

    work = results.run.work
    random = merging_at_random(model).to(work.device)
    return {"random_merging_top1": evaluate(random, work.data.test, work.norm).top(1)}


def _write_sparsity(model: nn.Module, path: Path) -> None:
    """Write which layers are 2:4, and of the others why not; and tell how many."""
    from ...backends.tensorrt.sparsity import sparsity_report

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


def onnx_of(model: nn.Module, table: LatencyTable) -> bytes:
    """Return the ONNX file of a model with a spec, at the table's batch and number format."""
    from ...backends.onnx.export import EXPORTED_DTYPES, onnx_from_module
    from ...models.modules.folding import folded
    from ..options.text import takes_texts

    spec: Any = model.spec
    dtype = table.setting.dtype if table.setting.dtype in EXPORTED_DTYPES else "fp32"
    shape = (table.setting.batch, *spec.blocks()[0].input_shape)
    alone = folded(model.cpu().eval())
    if not takes_texts(spec):
        return onnx_from_module(alone, shape, dtype)
    # Hugging Face's names, so that what feeds its models feeds this one.
    further = {"token_type_ids": 0, "attention_mask": 1}
    return onnx_from_module(alone, shape, dtype, "input_ids", further)
