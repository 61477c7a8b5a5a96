"""`vitprof prune`: a smaller model that meets a latency on a table's device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..options.common import table_option
from ..options.prune import (
    NViTOptions,
    OptinOptions,
    TargetOptions,
    nvit_options,
    optin_options,
    target_options,
)
from ..options.text import load_data_of, of_length, sequence_length_option, takes_texts
from ..options.training import (
    Training,
    data_option,
    find_torch_device,
    on_device,
    resolution_option,
    step_bar,
    train_device_option,
    training_options,
    weights_beside,
)
from ..output import giga, json_option, milliseconds, note, print_json, print_table
from ..prune_checks import (
    SCORES,
    check_family,
    check_one_shot,
    check_options,
    check_targets,
    groups_of,
    score_of,
    targets_of,
    written_target,
)
from ..prune_methods import Job, by_nvit, by_optin
from ..prune_segmentation import SegmentationJob, is_segmentation, prune_segmentation

if TYPE_CHECKING:
    from ...tables import LatencyTable

METHODS = ("nvit", "optin")


@click.command(
    epilog="Example: vitprof prune --model my-vit --table lut.csv --target-latency 0.54x,0.39x "
    "--data photos.zip --out pruned --verify"
)
@click.option("--method", default="nvit", show_default=True, type=click.Choice(METHODS),
              help="nvit: while it is trained, then finetuned (Yang et al. 2023). optin: in one "
              "shot, nothing is trained (Khaki et al. 2024).")  # fmt: skip
@click.option("--model", required=True,
              help="The folder of a trained model, or a name and --checkpoint.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path), help="The model's weights.")
@table_option
@target_options
@data_option
@resolution_option
@sequence_length_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--verify", is_flag=True, help="Measure the results on this machine.")
@click.option("--device", help="Refuse a table of another device.")
@click.option("--latency-batch", type=int, help="Refuse a table of another batch.")
@click.option("--score", type=click.Choice(tuple(dict.fromkeys(sum(SCORES.values(), ())))),
              help="What importance is (default: hessian for nvit, trajectory for "
              "optin).")  # fmt: skip
@click.option("--budget", default="latency", show_default=True,
              type=click.Choice(("latency", "macs", "params")),
              help="What removing a group is credited with.")  # fmt: skip
@click.option("--groups", help="Units that leave at once, e.g. heads=1,mlp=32 "
              "(default: embed=16,heads=2,qk=8,v=8,mlp=16; heads=1 below 6; of a VGG "
              "channels=16).")  # fmt: skip
@click.option("--only", multiple=True,
              help="Shrink only what begins so, e.g. stages.2. of a Swin.")  # fmt: skip
@nvit_options
@training_options(epochs=10, learning_rate=5e-4)
@train_device_option
@optin_options
@json_option
def prune(
    method: str, model: str, checkpoint: Path | None, table_path: Path,
    wanted: TargetOptions,
    source: str, resolution: int | None, sequence_length: int | None, out: Path, verify: bool,
    device: str | None, latency_batch: int | None, score: str | None, budget: Any,
    groups: str | None, only: tuple[str, ...], nvit: NViTOptions, training: Training,
    train_device: str, optin: OptinOptions, as_json: bool,
) -> int:  # fmt: skip
    """Make a trained model smaller until it meets a latency.

    Heads, widths and hidden neurons of all blocks compete, or a VGG's channels; what goes is what
    matters least for the milliseconds that it costs, by the table. An interrupted run goes on when
    the same command is given again.
    """
    from ...compress.budget import Budget
    from ...models import create_model, create_spec
    from ...training.fit import check_batch, check_fits
    from ...training.processes import joined_processes
    from ...training.saved_run import SavedRun

    score = score_of(method, score)
    check_options(method, nvit, optin)
    table = _table(table_path, device, latency_batch, verify)
    if is_segmentation(model):
        return prune_segmentation(method, SegmentationJob(
            Path(model), table, *written_target(wanted), source, resolution, out, verify, score,
            groups, only, optin, training.seed, train_device, as_json,
        ))  # fmt: skip
    spec: Any = of_length(create_spec(model), sequence_length, resolution)
    check_family(method, spec, optin)
    weights = weights_beside(model, checkpoint)
    if weights is None:
        raise UserError(
            f"{spec.name} has no weights to prune; give --checkpoint, or the folder of a trained "
            "model as --model."
        )
    targets, unit = targets_of(spec, table, wanted, optin)
    of_groups = groups_of(groups, spec, nvit.sparsity)
    check_targets(method, spec, targets, unit, table, of_groups, only, optin)
    torch_device = find_torch_device(train_device)
    training = on_device(training, torch_device)
    with joined_processes(torch_device) as processes:
        quiet = as_json or not processes.is_first
        data, norm = load_data_of(spec, source, weights, resolution, quiet)
        if method == "nvit":
            check_batch(data, training.batch)
        base = spec if takes_texts(spec) else model
        check_fits(create_model(base, checkpoint=weights).spec, data.train, norm)
        if method == "optin":
            check_one_shot(spec, data, optin)
        asked = {
            "command": f"prune {method}", "model": model, "checkpoint": str(checkpoint or ""),
            "data": source, "score": score, "only": list(only), "seed": training.seed,
            "sequence_length": sequence_length,
        }  # fmt: skip
        # One scoring serves all targets; what is trained is of its own.
        asked |= optin.of_scores() if method == "optin" else {
            "table": str(table_path), "targets": [target.text for target in targets],
            "unit": unit, "budget": budget, "groups": dict(of_groups.sizes), **vars(nvit),
            "teacher": str(nvit.teacher or ""), "training": vars(training),
        }  # fmt: skip
        with processes.first_before_others():
            saved = SavedRun(out, asked, writes=processes.is_first)
        if saved.resumes and processes.is_first:
            note(f"going on with the run in {out}.")
        job = Job(
            base, weights, data, norm, targets, Budget(table, unit), Budget(table, budget),
            of_groups, only, score, training, torch_device, processes,
        )  # fmt: skip
        with step_bar(not quiet) as show:
            if method == "nvit":
                run, models = by_nvit(job, nvit, saved, show)
            else:
                run, models = by_optin(job, optin, saved, show)
        if not processes.is_first:
            return 0
    from ..reports.pruned import Results, write_results

    results = Results(run, models, table, out, unit, nvit.sparsity, optin.random_merging)
    stable = write_results(results, verify, as_json)
    if as_json:
        print_json(results.report)
    else:
        _print(results.report)
    return 0 if stable else 1


def _table(path: Path, device: str | None, batch: int | None, verify: bool) -> LatencyTable:
    from ...tables import LatencyTable

    table = LatencyTable.read_csv(path)
    table.check_setting(device=device, batch=batch)
    if verify:
        from ..measured_models import check_here

        check_here(table)
    return table


def _print(report: dict[str, Any]) -> None:
    models: Sequence[dict[str, Any]] = report["models"]
    base = report["base"]
    other, its_name = ("f1", "F1") if "f1" in base else ("top3", "top-3")
    click.echo(
        f"{base['model']}: {milliseconds(base['latency_ms'])} ms, {giga(base['macs'])} GMACs, "
        f"{base['params'] / 1e6:.3g} M parameters, top-1 {base['top1']:.2%}".replace("%", " %")
    )
    print_table(
        ("target", "target ms", "predicted ms", "measured ms", "speed-up", "GMACs", "M params",
         "top-1", its_name),
        [
            (
                each["target"],
                "-" if each["target_ms"] is None else milliseconds(each["target_ms"]),
                milliseconds(each["predicted_ms"]),
                "-" if each["measured_ms"] is None else milliseconds(each["measured_ms"]),
                f"{each['speedup']:.2f}x",
                giga(each["macs"]),
                f"{each['params'] / 1e6:.3g}",
                f"{each['top1']:.2%}".replace("%", " %"),
                "-" if each.get(other) is None else f"{each[other]:.2%}".replace("%", " %"),
            )
            for each in models
        ],
    )  # fmt: skip
    for each in models:
        if each.get("random_merging_top1") is not None:
            top1 = f"{each['random_merging_top1']:.2%}".replace("%", " %")
            note(f"{each['target']}: with tokens merged at random instead, top-1 is {top1}.")
    for each in models:
        note(f"written: {each['out']}")
