"""`vitprof.search_models`: the best model of a space that keeps a latency on a table's device."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..notes import note, warn
from ..progress import OnProgress, ProgressOption, shown_progress
from ..quantities import Quantity, share
from ..search.choices import PROXIES, check_choice
from .given_table import table_of
from .inputs import Path as PathLike
from .inputs import space_of
from .searched import SearchResult, Weights

if TYPE_CHECKING:
    from ..search.costs import CostModel
    from ..search.evaluation_log import EvaluationLog
    from ..search.evaluators.subnet_evaluator import SubnetEvaluator
    from ..search.found import Found
    from ..search.goal import SearchGoal
    from ..search.limits import Limits
    from ..search.problem import Evaluator
    from ..spaces.space import SearchSpace
    from ..tables import LatencyTable
    from ..tables.speed import Speed
    from ..training.data.images import Dataset

    Tables = PathLike | LatencyTable | Sequence[PathLike | LatencyTable]

# In the folder of a run: what was evaluated.
LOG = "evaluations.jsonl"


def search_models(
    space: str | Path | SearchSpace | None = None,
    tables: Tables = "lut.csv",
    *,
    any_table: bool = False,
    at: Speed | str | None = None,
    max_latency: Quantity | Sequence[Quantity] | None = None,
    max_params: Quantity | None = None,
    max_macs: Quantity | None = None,
    max_memory: Quantity | None = None,
    supernet: str | Path | None = None,
    data: str | Path | None = None,
    images: int | None = None,
    proxy: str | None = None,
    out: str | Path | None = None,
    algorithm: str = "coarse-to-fine",
    objective: str = "accuracy",
    cost: str = "params",
    cost_weight: float = 0.0,
    min_accuracy: Quantity = 0.0,
    seed: int = 0,
    candidates: int = 100_000,
    rank: str = "auto",
    population: int = 50,
    generations: int = 20,
    parents: int = 10,
    depth_mutation: float = 0.2,
    mutation: float = 0.4,
    workers: int = 1,
    ray: str | None = None,
    train_device: str = "auto",
    verify: bool = False,
    winners: int = 5,
    fresh: bool = False,
    progress: ProgressOption = False,
) -> SearchResult:
    """Find the best model of a search space that keeps every limit.

    Models are judged by the accuracies of a supernet's subnets on held-out images, or, without one,
    by a proxy. With `out`, an interrupted search goes on when the same call is made again.

        found = vitprof.search_models("autovit-xxs", "lut.csv", max_latency="10ms", proxy="macs")
        found.best.spec, found.best.latency_ms
        found.evaluated.plot.scatter("predicted_ms", "figure")
        found.save("found")

    Args:
        space: a search space's name, its .toml or .json file, or as such; None: the supernet's.
        tables: a table that covers the space, or its file; of several the model has to be fast
            enough by each.
        any_table: the tables are of precisions, runtimes or devices to choose from: the model has
            to be fast enough by one of them, and `best.table` says by which it is fastest.
        at: latencies and their limits are at this speed of the tables' machines: "undisturbed",
            "typical" or "p90"; None: the one that each table is stated at.
        max_latency: milliseconds by the table, or text (5, "5ms", "500us"); of several tables one
            each, with `any_table` one for all.
        max_params, max_macs: numbers, or text ("1.8M", "300M").
        max_memory: bytes, or text ("64MiB"): weights and what one block needs beside them, in fp32.
        supernet: folder that `vitprof.supernet` wrote: accuracies are its subnets'.
        data: the images that the supernet was trained on.
        images: judge by so many of the held-out images; None: all.
        proxy: without a supernet: the most "macs" or "params"; no accuracy is measured.
        out: folder to write: best/, front.csv, front.png, report.json, and a log to go on from.
        algorithm: "coarse-to-fine" (Kong et al. 2025), "random", "nsga2" or "exhaustive".
        objective: "accuracy", "cost" (L + λ·C, eq. 3) or "accuracy-size" (a front, eq. 8).
        cost, cost_weight: C of eq. 3, "params" or "macs", and milliseconds for a million of it.
        min_accuracy: least accuracy for the objective "cost": 0.8, "80%" or 80.
        seed: of everything drawn.
        candidates: models that the coarse stage draws.
        rank: by what it ranks those that keep the limits: "limit", "macs", "params", "latency",
            "none"; "auto": the proxy, or how much of their tightest limit they use.
        population, generations, parents: of the evolution.
        depth_mutation, mutation: chances that depths and that a block change (P_d, P_m).
        workers: evaluate so many subnets at once, by Ray on this machine; `ray`: on the cluster at
            this address.
        train_device: where subnets are evaluated: "cpu", "cuda", "cuda:1"; "auto".
        verify: measure the best, and `winners` models of the front, on this machine.
        fresh: start again where `out` holds a run.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: no model keeps the limits (naming the nearest), a table does not cover the space,
            or what was given does not go together.
    """
    import numpy as np

    from ..search.algorithms.registry import find_algorithm, run_search
    from ..search.costs import CostModel
    from ..search.feasible import feasible
    from ..search.found import found_models
    from ..search.goal import SearchGoal
    from ..search.limits import Limits
    from ..search.plan import SearchPlan
    from ..search.problem import SearchProblem
    from ..training.saved_run import SavedRun

    _check_one_judge(supernet, proxy, data, images)
    lookups = _tables(tables, at)
    limits = Limits.of(
        max_latency, max_params, max_macs, max_memory, tables=1 if any_table else len(lookups)
    )
    goal = SearchGoal(objective, cost_weight, cost, share(min_accuracy))
    find_algorithm(algorithm)
    _check_together(goal, algorithm, limits, proxy)
    plan = SearchPlan(
        candidates,
        (proxy or "limit") if rank == "auto" else rank,
        population,
        generations,
        parents,
        depth_mutation,
        mutation,
    )
    if verify:
        _check_verifiable(lookups)
    with shown_progress(progress) as on_progress:
        judge, searched, dataset = _judge(space, supernet, data, images, train_device, on_progress)
        costs = CostModel(searched, lookups, alternatives=any_table)
        _warn_uncalibrated(costs)
        feasible(searched, costs, limits, np.random.default_rng([seed, 1]))  # before any file
        latencies = [] if max_latency is None else _listed(max_latency)
        asked: dict[str, Any] = {
            "command": "search",
            "space": searched.to_dict(),
            "supernet": str(supernet or ""),
            "data": str(data or ""),
            "images": images,
            "proxy": proxy or "",
            "tables": [table.source for table in lookups],
            **({"any_table": True} if any_table else {}),
            "at": [table.stated_at for table in lookups],
            "max_latency": latencies,
            "max_params": max_params,
            "max_macs": max_macs,
            "max_memory": max_memory,
            "algorithm": algorithm,
            "objective": objective,
            "cost": cost,
            "cost_weight": cost_weight,
            "min_accuracy": goal.min_accuracy,
            "seed": seed,
            "candidates": candidates,
            "rank": rank,
            "population": population,
            "generations": generations,
            "parents": parents,
            "depth_mutation": depth_mutation,
            "mutation": mutation,
        }
        saved = log = None
        if out is not None:
            saved = SavedRun(Path(out), asked, fresh=fresh)
            log = _log(Path(out), asked, supernet, fresh)
        with _evaluator(judge, proxy, costs, workers, ray) as evaluator:
            problem = SearchProblem(searched, costs, limits, goal, evaluator, log, on_progress)
            with _kept(log, out):
                run_search(problem, algorithm, plan, seed)
        (best,) = found_models(problem, costs, problem.best()[None], "best")
        best, front = best.named("best"), found_models(problem, costs, problem.front(), "front")
        stable = True
        if verify:
            best, front, stable = _verified(lookups, best, front, winners, on_progress)
        weights = _weights(judge, best, dataset, on_progress)
    folder = None if out is None else Path(out)
    found = SearchResult(problem, costs, best, tuple(front), weights, proxy, seed, folder, stable)
    for words in found.exceeded:
        note(words)
    if saved is not None:
        found.save(saved.folder)
        saved.finish(found.report())
    return found


def _listed(amounts: Quantity | Sequence[Quantity]) -> list[Quantity]:
    return [amounts] if isinstance(amounts, str | int | float) else list(amounts)


def _tables(tables: Tables, at: Speed | str | None) -> list[LatencyTable]:
    """Return the tables, each read; raises UserError for one that is not finished."""
    if isinstance(tables, str | os.PathLike) or not isinstance(tables, Sequence):
        tables = [tables]
    found = [table_of(table, at) for table in tables]
    if not found:
        raise UserError("there is no table to search under; give `tables`.")
    for table in found:
        if table.unfinished:
            raise UserError(
                f"{table.source} is unfinished; finish measuring it first (vitprof measure)."
            )
    return found


def _check_one_judge(
    supernet: PathLike | None, proxy: str | None, data: PathLike | None, images: int | None
) -> None:
    if (supernet is None) == (proxy is None):
        raise UserError(
            "give `supernet` and `data`, to judge models by their accuracy, or `proxy` macs, to "
            "search without any."
        )
    if proxy is not None:
        check_choice("proxy", proxy, PROXIES)
    if supernet is not None and data is None:
        raise UserError("`supernet` needs `data`: the images that it was trained on.")
    if proxy is not None and (data is not None or images is not None):
        raise UserError("`proxy` looks at no images; remove `data` and `images`.")


def _check_together(goal: SearchGoal, algorithm: str, limits: Limits, proxy: str | None) -> None:
    """Raise UserError for options that do not go together."""
    if goal.kind != "cost" and (goal.weight or goal.min_accuracy):
        raise UserError("`cost_weight` and `min_accuracy` are of `objective` cost; add it.")
    if proxy and goal.min_accuracy:
        raise UserError("`min_accuracy` needs accuracies, and `proxy` measures none.")
    if goal.kind == "accuracy" and algorithm != "nsga2" and not limits:
        raise UserError(
            "nothing limits the model, so the largest would win; give `max_latency`, or another of "
            "the limits."
        )


def _judge(
    space: PathLike | SearchSpace | None,
    supernet: PathLike | None,
    data: PathLike | None,
    images: int | None,
    train_device: str,
    on_progress: OnProgress,
) -> tuple[SubnetEvaluator | None, SearchSpace, Dataset | None]:
    """Return who judges subnets, if there is a supernet; the space; and the supernet's data."""
    asked = None if space is None else space_of(space)
    if supernet is None:
        if asked is None:
            raise UserError("give `space`, or `supernet` whose space it is.")
        return None, asked, None
    from ..search.evaluators.subnet_evaluator import CALIBRATION_IMAGES, SubnetEvaluator
    from ..search.supernet.folder import read_supernet
    from ..search.supernet.recalibration import calibration_images
    from ..training.data.datasets import load_dataset
    from ..training.data.held_out import some_of
    from ..training.torch_device import find_torch_device

    found = read_supernet(Path(supernet))
    record = found.record
    if asked is not None:
        record.check_space(asked)
    spec: Any = found.supernet.spec
    dataset = load_dataset(str(data), spec.resolution, on_progress)
    train, held_out = record.parts(dataset.train)
    evaluator = SubnetEvaluator(
        record.space,
        found.supernet.to(find_torch_device(train_device)),
        some_of(held_out, images or len(held_out)).in_memory(),
        found.norm,
        calibration_images(train, CALIBRATION_IMAGES),
    )
    return evaluator, record.space, dataset


@contextmanager
def _evaluator(
    judge: SubnetEvaluator | None,
    proxy: str | None,
    costs: CostModel,
    workers: int,
    ray: str | None,
) -> Iterator[Evaluator]:
    """Yield what says how good candidates are: here, or by workers of Ray."""
    if judge is None:
        from ..search.evaluators.proxy import ProxyEvaluator

        assert proxy is not None
        yield ProxyEvaluator(costs, proxy)
        return
    if workers == 1 and ray is None:
        yield judge
        return
    from ..ray_connection import local_ray, ray_connection
    from ..search.evaluators.ray_evaluator import RayEvaluator

    with local_ray(workers) if ray is None else ray_connection(ray) as place:
        yield RayEvaluator(judge, place)


@contextmanager
def _kept(log: EvaluationLog | None, out: PathLike | None) -> Iterator[None]:
    """Say where a search that is interrupted can go on."""
    try:
        yield
    except KeyboardInterrupt:
        if log is not None:
            note(
                f"stopped; {len(log.found)} evaluations are kept in {out}, and the same command "
                "continues from there."
            )
        raise


def _log(out: Path, asked: dict[str, Any], supernet: PathLike | None, fresh: bool) -> EvaluationLog:
    """Return the run's log, headed by what evaluations depend on, and the seed."""
    from ..search.evaluation_log import EvaluationLog

    digest = ""
    if supernet is not None:
        from ..search.supernet.folder import weights_digest

        digest = weights_digest(Path(supernet))
    path = out / LOG
    if fresh:
        path.unlink(missing_ok=True)
    head = {
        "seed": asked["seed"],
        "space": asked["space"],
        "weights": digest,
        "images": asked["images"],
        "proxy": asked["proxy"],
    }
    log = EvaluationLog(path, head)
    if log.found:
        note(f"going on: {len(log.found)} models are evaluated already ({log.path}).")
    return log


def _warn_uncalibrated(costs: CostModel) -> None:
    family = costs.space.family
    for table in costs.tables:
        if family not in table.calibrations:
            warn(
                f"warning: {table.source} has no whole {family} models, so latencies are sums of "
                "lone blocks; measure some with it (vitprof measure, with the search space)."
            )


def _weights(
    judge: SubnetEvaluator | None, best: Found, data: Dataset | None, on_progress: OnProgress
) -> Weights | None:
    """Return the winner's weights, tested on the test images; None without a supernet."""
    if judge is None or data is None:
        return None
    from ..training.evaluate import evaluate

    model = judge.model(best.spec)
    tested = evaluate(model, data.test, judge.norm, on_progress=on_progress)
    return Weights(model, judge.norm, tested)


# --- measuring what was found --------------------------------------------------------------------


def _check_verifiable(tables: Sequence[LatencyTable]) -> None:
    """Raise UserError where no table's device and runtime are here."""
    from ..profiler.target import check_free

    reasons = _why_not_here(tables)
    if all(reasons):
        raise UserError(f"`verify` has nothing to measure on: {reasons[0]}")
    for table, reason in zip(tables, reasons, strict=True):
        if not reason:
            check_free(table.setting, "vitprof search --verify")


def _why_not_here(tables: Sequence[LatencyTable]) -> list[str]:
    from ..profiler.target import target_of_table

    reasons = []
    for table in tables:
        try:
            target_of_table(table)
            reasons.append("")
        except UserError as error:
            reasons.append(str(error))
    return reasons


def _verified(
    tables: Sequence[LatencyTable],
    best: Found,
    front: Sequence[Found],
    winners: int,
    on_progress: OnProgress,
) -> tuple[Found, list[Found], bool]:
    """Return the winner and some of the front as measured, and whether all were stable.

    The winner mostly is on the front too; it is measured once.
    """
    from ..profiler.remeasure import verified_ms

    found, stable = list(front), True
    # Spread over the front, its ends included.
    count = min(winners, len(found))
    chosen = sorted({round(i * (len(found) - 1) / max(count - 1, 1)) for i in range(count)})
    twin = next((i for i, model in enumerate(found) if model.values == best.values), None)
    others = [i for i in chosen if i != twin]
    for number, (table, reason) in enumerate(zip(tables, _why_not_here(tables), strict=True)):
        if reason:
            note(f"not measured for {table.source}: {reason}")
            continue
        models = [best, *(found[i] for i in others)]
        specs = [model.spec for model in models]
        measured, fine = verified_ms(table, specs, "vitprof search --verify", on_progress)
        stable &= fine
        best = best.with_measured(number, measured[0])
        for i, ms in zip(others, measured[1:], strict=True):
            found[i] = found[i].with_measured(number, ms)
        if twin is not None:
            found[twin] = found[twin].with_measured(number, measured[0])
        _note_disagreements(table, models, measured)
    return best, found, stable


def _note_disagreements(
    table: LatencyTable, models: Sequence[Found], measured: Sequence[float]
) -> None:
    """Tell where the device took a time outside the table's own 95 % interval."""
    for model, ms in zip(models, measured, strict=True):
        predicted = table.predict(model.spec)
        if not predicted.low_ms <= ms <= predicted.high_ms:
            note(
                f"{model.name}: measured {ms:.4g} ms, {ms / predicted.ms - 1:+.1%} beside the "
                f"{predicted.ms:.4g} ms that {table.source} predicts ({predicted.low_ms:.4g} to "
                f"{predicted.high_ms:.4g})."
            )
