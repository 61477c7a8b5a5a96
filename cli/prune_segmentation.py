"""`vitprof prune` of a Mask2Former: from options to smaller models, and what is written of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..atomic_write import write_atomically
from ..errors import UserError
from .options.training import find_torch_device, step_bar
from .output import giga, milliseconds, note, print_json, print_table
from .reports.pruned import onnx_of

if TYPE_CHECKING:
    from ..compress.segmentation.optin_segmentation import SegmentationRun
    from ..models.families.swin.model import SwinTransformer
    from ..tables import LatencyTable
    from ..training.data.images import Normalisation
    from ..training.data.segmentation_images import SegmentationImages
    from ..training.segmentation_scores import SegmentationResult
    from .options.prune import OptinOptions

# Options of OPTIN's other tasks, or of those that train, which would be passed over in silence.
_OTHERS = (
    "tokens", "tokens_only", "schedule", "random_merging", "order", "budget", "checkpoint",
)  # fmt: skip
# Images that last layers are fitted to, where nothing is said: each is a large one.
FITTED = 64
# What transformers takes where a preprocessor says nothing (ImageNet's).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class SegmentationJob:
    """What the command line says, as far as it is for a Mask2Former."""

    model: Path
    table: LatencyTable
    target: str
    unit: Any
    data: str
    resolution: int | None
    out: Path
    verify: bool
    score: str
    groups: str | None
    only: tuple[str, ...]
    options: OptinOptions
    seed: int
    device: str
    as_json: bool


@dataclass(frozen=True)
class Done:
    """One target's model and backbone, and where their files go."""

    model: Any
    swin: SwinTransformer
    folder: Path


def is_segmentation(model: str) -> bool:
    """Whether `--model` is the folder of a Mask2Former."""
    from ..compress.segmentation.mask2former import is_mask2former

    return is_mask2former(model)


def _check_options(method: str, score: str) -> None:
    """Raise UserError for an option that says nothing about a Mask2Former."""
    from ..compress.segmentation.optin_segmentation import NEURON_SCORES

    if method != "optin":
        raise UserError(
            f"a Mask2Former is pruned by --method optin, not by {method}: it is not trained here."
        )
    if score not in NEURON_SCORES:
        raise UserError(f"a Mask2Former has no --score {score}; it has {', '.join(NEURON_SCORES)}.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("--method optin scores in one process; start it without torchrun.")
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in _OTHERS and _is_given(parameter.name):
            raise UserError(
                f"{parameter.opts[0]} says nothing about a Mask2Former, of which hidden neurons of "
                "the backbone go; leave it away."
            )


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source == ParameterSource.COMMANDLINE


def prune_segmentation(method: str, job: SegmentationJob) -> int:
    """Prune, write and print; return the exit code. UserError for what is not for a Mask2Former."""
    from ..compress.budget import Budget
    from ..compress.groups import Groups
    from ..compress.optin.trajectory_score import Scoring
    from ..compress.segmentation.mask2former import backbone_spec, load_mask2former
    from ..compress.segmentation.optin_segmentation import SegmentationPlan, SegmentationRun
    from ..compress.targets import check_reachable, floors_of, parse_targets
    from ..training.data.segmentation_images import (
        find_segmentation_images,
        split_segmentation_images,
    )
    from ..training.saved_run import SavedRun

    _check_options(method, job.score)
    spec = backbone_spec(job.model, job.resolution)
    budget = Budget(job.table, job.unit)
    targets = parse_targets(job.target, float(budget.of([spec])[0]), job.unit)
    groups = Groups.of(job.groups, 1)
    # Before images are read and a folder is made.
    check_reachable(spec, targets, budget, floors_of(spec, job.table, groups, job.only, ("mlp",)))
    images, tested = split_segmentation_images(find_segmentation_images(job.data))
    options = job.options
    counts = {"score_images": options.score_images, "reconstruct": options.reconstruct}
    if not _is_given("score_images"):
        counts["score_images"] = min(options.score_images, len(images))
    if not _is_given("reconstruct"):
        counts["reconstruct"] = min(FITTED, len(images))
    score: Any = job.score
    plan = SegmentationPlan(
        score,
        Scoring(options.trajectory(), options.units_at_once),
        counts["score_images"], counts["reconstruct"], groups, job.only, job.seed,
    )  # fmt: skip
    plan.check_enough(images)
    norm, zero_is_none = _preprocessing(job.model)
    device = find_torch_device(job.device)
    model = load_mask2former(job.model).to(device)
    asked = {
        "command": "prune optin mask2former", "model": str(job.model),
        "table": job.table.source, "targets": [target.text for target in targets],
        "unit": job.unit, "data": job.data, "resolution": spec.resolution, "score": score,
        "groups": dict(groups.sizes), "only": list(job.only), "seed": job.seed,
        **vars(options), **counts,
    }  # fmt: skip
    run = SegmentationRun(
        model, spec, images, norm, targets, budget, plan, SavedRun(job.out, asked)
    )
    if not job.as_json:
        note(
            f"{spec.resolution} x {spec.resolution} pixels; milliseconds, MACs and parameters are "
            "the backbone's: the decoders are in no table and stay as they are."
        )
    with step_bar(not job.as_json) as show:
        run.score(show)
        done = []
        for target in run.targets:
            made, swin = run.cut(target)
            swin.spec = replace(swin.spec, name=f"{spec.name}-{target.text}")
            folder = job.out if len(targets) == 1 else job.out / target.text
            done.append(Done(made, swin, folder))
        found = _evaluated(run, done, tested, norm, zero_is_none, show)
    report, stable = _write(job, run, done, found)
    if job.as_json:
        print_json(report)
    else:
        _print(report)
    return 0 if stable else 1


def _preprocessing(folder: Path) -> tuple[Normalisation, bool]:
    """Return the folder's normalisation, and whether 0 is no class in its masks."""
    from ..compress.segmentation.mask2former import PREPROCESSOR, config_of
    from ..training.data.images import Normalisation
    from ..training.model_folder import read_normalisation

    norm = read_normalisation(folder)
    if norm is None:
        note(f"{folder} does not say how images are normalised; it is done as for ImageNet.")
        norm = Normalisation(MEAN, STD)
    config = config_of(folder, PREPROCESSOR)
    return norm, bool(config.get("do_reduce_labels", config.get("reduce_labels", False)))


def _evaluated(
    run: SegmentationRun, done: Sequence[Done], tested: SegmentationImages, norm: Normalisation,
    zero_is_none: bool, show: Any,
) -> list[SegmentationResult]:  # fmt: skip
    from ..training.segmentation_scores import evaluate_segmentation

    models = [run.model, *(each.model for each in done)]
    return evaluate_segmentation(
        models, tested, run.spec.resolution, norm, zero_is_none, show,
    )  # fmt: skip


def _write(
    job: SegmentationJob, run: SegmentationRun, done: Sequence[Done],
    found: Sequence[SegmentationResult],
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    """Write models, ONNX files, widths and report; return the report and whether all is stable."""
    from ..compress.nvit.redistribution import to_csv, widths
    from ..compress.nvit.redistribution_plot import plot_redistribution
    from ..compress.segmentation.mask2former import write_mask2former

    specs = [run.spec, *(each.swin.spec for each in done)]
    predicted = [float(ms) for ms in job.table.predict_many(specs)]
    measured: Sequence[float | None] = [None] * len(specs)
    stable = True
    if job.verify:
        from .measured_models import measured_like

        what = f"vitprof prune --table {job.table.source} --verify"
        measured, stable = measured_like(job.table, specs, what, job.as_json)
    report: dict[str, Any] = {
        "base": {
            "model": run.spec.name, "part": "backbone", "resolution": run.spec.resolution,
            "latency_ms": predicted[0], "measured_ms": measured[0], "macs": run.spec.macs,
            "params": run.spec.params, "pixel_accuracy": found[0].pixel_accuracy,
            "miou": found[0].miou,
        },
        "setting": job.table.setting.as_dict(),
    }  # fmt: skip
    models = []
    for nth, (each, target) in enumerate(zip(done, run.targets, strict=True), 1):
        spec, folder = each.swin.spec, each.folder
        write_mask2former(each.model, spec, job.model, folder)
        write_atomically(folder / "model.onnx", onnx_of(each.swin, job.table))
        shape = widths(run.spec, spec)
        write_atomically(folder / "redistribution.csv", to_csv(shape))
        plot_redistribution(shape, [], job.table.setting, folder / "redistribution.png")
        ms = measured[nth] or predicted[nth]
        models.append(
            {
                "target": target.text,
                "predicted_ms": predicted[nth],
                "measured_ms": measured[nth],
                "target_ms": target.cost if job.unit == "latency" else None,
                "speedup": (measured[0] or predicted[0]) / ms,
                "params": spec.params,
                "macs": spec.macs,
                **asdict(found[nth]),
                "out": str(folder),
            }
        )
    if len(models) > 1:
        for each, record in zip(done, models, strict=True):
            text = json.dumps({"base": report["base"], **record}, indent=2) + "\n"
            write_atomically(each.folder / "report.json", text)
    report["models"] = models
    if len(models) == 1:
        report |= models[0]
    run.saved.finish(report)
    return report, stable


def _print(report: dict[str, Any]) -> None:
    base = report["base"]
    truth = "" if base["miou"] is None else f", mIoU {_percent(base['miou'])}"
    click.echo(
        f"{base['model']}: backbone {milliseconds(base['latency_ms'])} ms, {giga(base['macs'])} "
        f"GMACs, {base['params'] / 1e6:.3g} M parameters{truth}"
    )
    print_table(
        ("target", "target ms", "predicted ms", "measured ms", "speed-up", "GMACs", "M params",
         "same pixels", "same mIoU", "mIoU"),
        [
            (
                each["target"],
                "-" if each["target_ms"] is None else milliseconds(each["target_ms"]),
                milliseconds(each["predicted_ms"]),
                "-" if each["measured_ms"] is None else milliseconds(each["measured_ms"]),
                f"{each['speedup']:.2f}x",
                giga(each["macs"]),
                f"{each['params'] / 1e6:.3g}",
                _percent(each["agreement_accuracy"]),
                _percent(each["agreement_miou"]),
                _percent(each["miou"]),
            )
            for each in report["models"]
        ],
    )  # fmt: skip
    for each in report["models"]:
        note(f"written: {each['out']}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
