"""`vitprof prune`: a smaller model that meets a latency on a table's device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UserError
from .options import table_option
from .output import giga, json_option, milliseconds, note, print_json, print_table
from .training_options import (
    Training,
    data_option,
    find_torch_device,
    load_data,
    normalisation_for,
    resolution_option,
    step_bar,
    train_device_option,
    training_options,
    weights_beside,
)

if TYPE_CHECKING:
    from torch import nn


@click.command(
    epilog="Example: vitprof prune --model my-vit --table lut.csv --target-latency 0.54x,0.39x "
    "--data photos.zip --out pruned --verify"
)
@click.option("--method", default="nvit", show_default=True, type=click.Choice(("nvit",)),
              help="nvit: global, latency-aware, while training (Yang et al. 2023).")  # fmt: skip
@click.option("--model", required=True,
              help="The folder of a trained model, or a name and --checkpoint.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path), help="The model's weights.")
@table_option
@click.option(
    "--target-latency", help="What to come down to: 0.54x of the model's, 12ms; or several."
)
@click.option("--target-macs", help="The same in MACs: 0.5x, 300M.")
@click.option("--target-params", help="The same in parameters: 0.5x, 5M.")
@data_option
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--verify", is_flag=True, help="Measure the results on this machine.")
@click.option("--device", help="Refuse a table of another device.")
@click.option("--latency-batch", type=int, help="Refuse a table of another batch.")
@click.option("--prune-epochs", default=1.0, show_default=True,
              type=click.FloatRange(0, min_open=True),
              help="How long it shrinks, before finetuning.")  # fmt: skip
@click.option("--prune-every", default=10, show_default=True, type=click.IntRange(1),
              help="Training steps between two removals.")  # fmt: skip
@click.option("--prune-learning-rate", default=2e-4, show_default=True,
              type=click.FloatRange(0, min_open=True), help="While it shrinks.")  # fmt: skip
@training_options(epochs=10, learning_rate=5e-4)
@train_device_option
@click.option("--alpha", default=1.0, show_default=True, type=click.FloatRange(0),
              help="Weight of the distillation from the unpruned model; 0: none.")  # fmt: skip
@click.option("--tau", default=3.0, show_default=True, type=click.FloatRange(0, min_open=True),
              help="Its temperature.")  # fmt: skip
@click.option("--teacher", type=click.Path(path_type=Path),
              help="Folder of a model whose answers count as labels too.")  # fmt: skip
@click.option("--score", default="hessian", show_default=True,
              type=click.Choice(("hessian", "taylor", "magnitude", "random")),
              help="What importance is.")  # fmt: skip
@click.option("--eta", default="auto", show_default=True,
              help="What a share of latency is worth in shares of importance; 0: nothing; auto: "
              "the least that lets a group go.")  # fmt: skip
@click.option("--budget", default="latency", show_default=True,
              type=click.Choice(("latency", "macs", "params")),
              help="What removing a group is credited with.")  # fmt: skip
@click.option("--allocation", default="global", show_default=True,
              type=click.Choice(("global", "uniform")),
              help="All structures compete, or all shrink alike.")  # fmt: skip
@click.option("--no-head-alignment", is_flag=True,
              help="Take QK and V dims from each head by itself.")  # fmt: skip
@click.option("--groups", help="Units that leave at once, e.g. heads=1,mlp=32 "
              "(default: embed=16,heads=2,qk=8,v=8,mlp=16; heads=1 below 6).")  # fmt: skip
@click.option("--sparsity", default="dense", show_default=True,
              type=click.Choice(("dense", "2:4")),
              help="2:4 sets 2 of 4 weights to 0 after pruning, and keeps them so.")  # fmt: skip
@click.option("--only", multiple=True,
              help="Shrink only what begins so, e.g. stages.2. of a Swin.")  # fmt: skip
@json_option
def prune(
    method: str, model: str, checkpoint: Path | None, table_path: Path,
    target_latency: str | None, target_macs: str | None, target_params: str | None,
    source: str, resolution: int | None, out: Path, verify: bool, device: str | None,
    latency_batch: int | None, prune_epochs: float, prune_every: int, prune_learning_rate: float,
    training: Training, train_device: str, alpha: float, tau: float, teacher: Path | None,
    score: Any, eta: str, budget: Any, allocation: Any, no_head_alignment: bool,
    groups: str | None, sparsity: str, only: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Make a trained model smaller until it meets a latency, and finetune what is left.

    Heads, widths and hidden neurons of all blocks compete; what goes is what matters least for the
    milliseconds that it costs, by the table. An interrupted run goes on when the same command is
    given again.
    """
    from ..compress.budget import Budget
    from ..compress.nvit import NViTRun, PruningPlan, Work
    from ..compress.targets import check_reachable, floors_of, parse_targets
    from ..models import create_model, create_spec
    from ..tables import LatencyTable
    from ..training.fit import check_batch, check_fits
    from ..training.objective import Objective
    from ..training.processes import joined_processes
    from ..training.saved_run import SavedRun
    from .train import read_teacher

    written, unit = _target(target_latency, target_macs, target_params)
    table = LatencyTable.read_csv(table_path)
    table.check_setting(device=device, batch=latency_batch)
    if verify:
        from .measured_models import check_here

        check_here(table)
    spec: Any = create_spec(model)
    weights = weights_beside(model, checkpoint)
    if weights is None:
        raise UserError(
            f"{spec.name} has no weights to prune; give --checkpoint, or the folder of a trained "
            "model as --model."
        )
    ranking, goal = Budget(table, budget), Budget(table, unit)
    targets = parse_targets(written, float(goal.of([spec])[0]), unit)
    plan = PruningPlan(
        prune_epochs, prune_every, prune_learning_rate, score, _eta(eta), allocation,
        not no_head_alignment, _groups(groups, spec, sparsity), only,
    )  # fmt: skip
    # Before images are read and a folder is made.
    check_reachable(spec, targets, goal, floors_of(spec, table, plan.groups, only))
    torch_device = find_torch_device(train_device)
    with joined_processes(torch_device) as processes:
        quiet = as_json or not processes.is_first
        data = load_data(source, resolution or spec.resolution, quiet)
        check_batch(data, training.batch)
        made = create_model(model, checkpoint=weights)
        norm = normalisation_for(weights, data)
        check_fits(made.spec, data.train, norm)
        full = create_model(model, checkpoint=weights).to(torch_device).eval() if alpha else None
        taught = None if teacher is None else read_teacher(teacher, torch_device, data, norm)
        asked = {
            "command": f"prune {method}", "model": model, "checkpoint": str(checkpoint or ""),
            "table": str(table_path), "targets": [target.text for target in targets],
            "unit": unit, "data": source, "training": vars(training), "alpha": alpha, "tau": tau,
            "teacher": str(teacher or ""), "prune_epochs": prune_epochs,
            "prune_every": prune_every, "prune_learning_rate": prune_learning_rate,
            "score": score, "eta": eta, "budget": budget, "allocation": allocation,
            "aligned": not no_head_alignment, "groups": dict(plan.groups.sizes),
            "only": list(only), "sparsity": sparsity,
        }  # fmt: skip
        with processes.first_before_others():
            saved = SavedRun(out, asked, writes=processes.is_first)
        run = NViTRun(
            made,
            Work(
                data, norm, Objective(taught, full, alpha, tau), torch_device, processes,
                _two_four if sparsity == "2:4" else None,
            ),
            targets,
            goal,
            ranking,
            plan,
            training.plan(),
            saved,
        )  # fmt: skip
        with step_bar(not quiet) as show:
            run.prune(show)
            models = [run.finetune(target, show) for target in targets]
        if not processes.is_first:
            return 0
    from .pruned import Results, write_results

    results = Results(run, models, table, out, unit, sparsity)
    stable = write_results(results, verify, as_json)
    if as_json:
        print_json(results.report)
    else:
        _print(results.report)
    return 0 if stable else 1


def _target(latency: str | None, macs: str | None, params: str | None) -> tuple[str, Any]:
    every = ((latency, "latency"), (macs, "macs"), (params, "params"))
    given = [(text, unit) for text, unit in every if text is not None]
    if len(given) != 1:
        raise UserError(
            "give one of --target-latency, --target-macs and --target-params"
            f"{', not several' if given else ', e.g. --target-latency 0.5x'}."
        )
    return given[0]


def _eta(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UserError(f"--eta {text} is neither auto nor a number from 0 on.")
    return value


def _two_four(model: nn.Module) -> None:
    from ..backends.two_four import prune_two_four

    prune_two_four(model)


def _groups(text: str | None, spec: Any, sparsity: str) -> Any:
    from ..compress.cutting import prunable_of
    from ..compress.groups import Groups

    structures = prunable_of(spec).structures(spec, True)
    # Sparse kernels want multiples of 16 inputs, and the projection has heads x V of them.
    first = "v=16," if sparsity == "2:4" else ""
    heads = max((s.units for s in structures if s.kind == "heads"), default=1)
    return Groups.of(first + (text or ""), heads)


def _print(report: dict[str, Any]) -> None:
    models: Sequence[dict[str, Any]] = report["models"]
    base = report["base"]
    click.echo(
        f"{base['model']}: {milliseconds(base['latency_ms'])} ms, {giga(base['macs'])} GMACs, "
        f"{base['params'] / 1e6:.3g} M parameters, top-1 {base['top1']:.2%}".replace("%", " %")
    )
    print_table(
        ("target", "target ms", "predicted ms", "measured ms", "speed-up", "GMACs", "M params",
         "top-1", "top-3"),
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
                "-" if each.get("top3") is None else f"{each['top3']:.2%}".replace("%", " %"),
            )
            for each in models
        ],
    )  # fmt: skip
    for each in models:
        note(f"written: {each['out']}")
