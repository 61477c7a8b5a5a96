"""`vitprof.prune`: a smaller model that meets a latency on a table's device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models import Spec
from ..notes import note
from ..progress import ProgressOption, shown_progress
from ..quantities import Quantity
from .given_table import table_of, warn_if_mostly_unstable
from .inputs import fetched
from .pruned import PruneResult, finished, untested

if TYPE_CHECKING:
    from torch import nn

    from ..compress.budget import Unit
    from ..compress.goal import Goal
    from ..compress.method_recipe import MethodRecipe
    from ..compress.methods import Method
    from ..tables import LatencyTable
    from ..tables.speed import Speed
    from ..training.data.kept_where import Keep, OnDamaged

Targets = Quantity | Sequence[Quantity]


def prune(
    model: str | Path | Spec,
    table: str | Path | LatencyTable = "lut.csv",
    *,
    at: Speed | str | None = None,
    data: str | Path,
    out: str | Path,
    target: Targets | None = None,
    target_macs: Targets | None = None,
    target_params: Targets | None = None,
    method: str = "nvit",
    checkpoint: str | Path | None = None,
    resolution: int | None = None,
    sequence_length: int | None = None,
    score: str | None = None,
    credit: Unit = "latency",
    groups: str | Mapping[str, int] | None = None,
    only: Sequence[str] = (),
    seed: int = 0,
    train_device: str = "auto",
    verify: bool = False,
    require_device: str | None = None,
    require_batch: int | None = None,
    recipe: str | None = None,
    keep: Keep = "auto",
    workers: int | None = None,
    on_damaged: OnDamaged = "refuse",
    fresh: bool = False,
    download: bool = False,
    progress: ProgressOption = False,
    **options: Any,
) -> PruneResult:
    """Make a trained model smaller until it meets a latency.

    Heads, widths and hidden neurons of all blocks compete, or a CNN's channels; what goes is what
    matters least for the milliseconds that it costs, by the table. The same call goes on with a run
    that was interrupted.

    Args:
        model: the folder of a trained model; or a name or spec, with `checkpoint`, its weights.
        table: the latency table, or its path.
        at: latencies and targets are at this speed of the table's machine: "undisturbed", "typical"
            or "p90"; None: the one that the table is stated at.
        data: digits, or a folder, zip or file of images or texts.
        out: folder to write: of several targets a folder each.
        target: what to come down to: 12 or "12ms" (milliseconds), "0.5x" (of the model's own);
            several as a list or with commas. `target_macs`, `target_params`: the same in MACs or
            parameters ("0.5x", "300M"). One of the three has to be given.
        method: nvit (while it is trained, then finetuned), optin (in one shot), heads (those of
            least norm), or one of another wheel.
        resolution: pixels a side to scale images to; None is the model's.
        sequence_length: tokens that texts are cut or filled up to; None is the model's.
        score: what importance is; None is the method's default.
        credit: what a removed group counts as saving: latency, macs or params.
        groups: units that leave at once, e.g. "heads=1,mlp=32".
        only: shrink only structures whose names begin so, e.g. ("stages.2.",).
        train_device: where to compute: cpu, cuda, cuda:1; auto takes a GPU where there is one.
        verify: measure the results on this machine, interleaved with the unpruned model.
        seed: of everything that is random.
        require_device, require_batch: refuse a table of another device or batch.
        recipe: options as a paper has them, where they are not given: "nvit" is all of NViT's run,
            with its four targets and the groups; "deit", "nvit-finetune" and "small" are of the
            training alone, as for `vitprof.train`.
        keep, workers, on_damaged: how images are read, as for `vitprof.train`.
        fresh: start again where `out` holds a run.
        download: fetch an id of Hugging Face that the local cache lacks.
        progress: True shows a bar; a function is called with stage, done, total, figures.
        options: those of the method (`vitprof.compress.methods.find_method(name).Options`), and of
            one that trains those of `vitprof.train`: epochs, batch, learning_rate, augment, ...;
            `limit_batches` makes it a dry run.

    Returns the models with their specs, folders, latencies (ms) and accuracies (0 to 1). Raises
    UserError for what cannot be: a target out of reach, a table that does not cover the model, data
    that do not fit it, options of another method.

        table = vitprof.LatencyTable.read_csv("lut.csv")
        run = vitprof.prune("my-vit", table, target="0.5x", data="digits", out="pruned")
        run.best.spec, run.best.top1
        run.plot("pruned.png")
    """
    from ..compress.budget import Budget
    from ..compress.methods import find_method
    from ..compress.run import PruningContext, TrainingContext
    from ..compress.subjects import subject_of
    from ..training.data.kept_where import Loading
    from ..training.data_reading import loading_of, read_from, ready_data
    from ..training.processes import joined_processes
    from ..training.saved_run import SavedRun
    from ..training.torch_device import find_torch_device
    from .autocast import settled

    named = find_method(method)
    read = _read_table(table, at, require_device, require_batch, verify)
    fetched([model, options.get("teacher")], download, weights=True)
    subject = subject_of(model, checkpoint, resolution, sequence_length)
    chosen = named.variant(subject)
    score = chosen.score(score)
    whole = chosen.recipe(recipe)
    own, plan = chosen.taken(options, subject.what, recipe)
    if credit != "latency" and not chosen.weighs_cost:
        raise UserError(f"`credit` has no effect on {subject.what}; omit it.")
    wanted: dict[Unit, Targets | None] = {
        "latency": target,
        "macs": target_macs,
        "params": target_params,
    }
    goal = _goal(chosen, own, subject.spec, read, wanted, groups, only, whole)
    device = find_torch_device(train_device)
    loading = Loading(keep, workers, on_damaged)
    if plan is not None:
        plan = replace(settled(plan, device), seed=seed)
        loading = loading_of(plan, keep, workers, on_damaged)
    with (
        joined_processes(device) as processes,
        shown_progress(progress if processes.is_first else False) as on_progress,
    ):
        if processes.is_first:
            warn_if_mostly_unstable(read)
            _say_what_is_missing(whole, options)
        read_data, norm = subject.read(str(data), loading, on_progress)
        if plan is not None:
            read_data = ready_data(read_data, plan, says=processes.is_first)
        own = chosen.for_data(own, read_data)
        chosen.check_score(score, own, subject.spec, read_data)
        asked: dict[str, Any] = {
            "command": " ".join(filter(None, ("prune", method, subject.kind))),
            "model": subject.spec.to_dict() if isinstance(model, Spec) else str(model),
            "checkpoint": str(checkpoint or ""),
            "data": str(data),
            "read_from": read_from(read_data),
            "recipe": recipe or "",
            "score": score,
            "only": list(only),
            "seed": seed,
            "sequence_length": sequence_length,
            **chosen.asked(own, _in_words(goal, credit)),
            **({} if plan is None else {"training": plan}),
        }
        with processes.first_before_others():
            saved = SavedRun(Path(out), asked, writes=processes.is_first, fresh=fresh)
        if saved.resumes and processes.is_first:
            note(f"going on with the run in {out}.")
        context = PruningContext(
            subject.load().to(device).eval(),
            goal,
            Budget(read, credit),
            TrainingContext(read_data, norm, device, processes),
            score,
            seed,
            saved,
            plan,
            _two_four,
            on_progress,
        )
        run = chosen.run(context, own)
        for remark in run.remarks:
            note(f"{remark}.")
    if not processes.is_first:
        return untested(run, context, subject, method)
    with shown_progress(progress) as on_progress:
        return finished(run, context, subject, method, verify, on_progress)


def _read_table(
    table: str | Path | LatencyTable,
    at: Speed | str | None,
    device: str | None,
    batch: int | None,
    verify: bool,
) -> LatencyTable:
    """Return the table; UserError for another device's or batch's, or one not of this machine."""
    read = table_of(table, at)
    read.check_setting(device=device, batch=batch)
    if verify:
        from ..profiler.target import check_free, target_of_table

        target_of_table(read)
        check_free(read.setting, "vitprof prune --verify")
    return read


def _goal(
    method: Method[Any],
    options: Any,
    spec: Spec,
    table: LatencyTable,
    wanted: Mapping[Unit, Targets | None],
    groups: str | Mapping[str, int] | None,
    only: Sequence[str],
    recipe: MethodRecipe | None,
) -> Goal:
    """Return what the model has to come down to, checked before data are read.

    recipe: has targets and sizes of groups where they are not given.
    """
    from ..compress.budget import Budget
    from ..compress.cutting import prunable_of
    from ..compress.goal import Goal
    from ..compress.groups import Groups
    from ..compress.targets import parse_targets

    structures = prunable_of(spec).structures(spec, True)
    method.check_kinds(spec, {structure.kind for structure in structures})
    method.check(options, spec)
    given = [(unit, target) for unit, target in wanted.items() if target is not None]
    own = method.own_target(options, spec, Budget(table)) if not given else None
    if own is None and not given and recipe is not None:
        given = [("latency", recipe.target)]
    if own is None and len(given) != 1:
        raise UserError(
            "give one of `target`, `target_macs` and `target_params`"
            f"{', not several' if given else ', e.g. `target` 0.5x'}."
        )
    unit, target = given[0] if own is None else ("latency", own.text)
    budget = Budget(table, unit)
    targets = [own] if own else parse_targets(target, float(budget.of([spec])[0]), unit)
    heads = max((s.units for s in structures if s.kind == "heads"), default=1)
    usual = {} if recipe is None else recipe.groups
    sizes = Groups.of(groups, heads, {**usual, **method.group_sizes(options)})
    by_units = method.goes_by_units(options)
    return Goal.of(spec, targets, budget, sizes, only, method.kinds, by_units)


def _say_what_is_missing(recipe: MethodRecipe | None, given: Mapping[str, Any]) -> None:
    for name, remark in {} if recipe is None else recipe.missing.items():
        if given.get(name) is None:
            note(f"{remark}.")


def _in_words(goal: Goal, credit: Unit) -> dict[str, Any]:
    """Return what results depend on, as a run keeps it."""
    return {
        "table": goal.budget.table.source,
        "at": goal.budget.table.stated_at,
        "targets": [target.text for target in goal.targets],
        "unit": goal.budget.unit,
        "credit": credit,
        "groups": dict(goal.groups.sizes),
    }


def _two_four(model: nn.Module) -> None:
    from ..backends.two_four import prune_two_four

    prune_two_four(model)
