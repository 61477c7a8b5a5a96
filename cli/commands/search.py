"""`vitprof search`: the best model of a space that keeps a latency on a table's device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..options.search import (
    AlgorithmOptions,
    LimitOptions,
    algorithm_options,
    check_tables,
    limit_options,
)
from ..options.training import find_torch_device, load_data, step_bar, train_device_option
from ..output import json_option, milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    from ...search.costs import CostModel
    from ...search.evaluators.subnet_evaluator import SubnetEvaluator
    from ...search.problem import Evaluator, Problem
    from ...spaces.space import SearchSpace
    from ...training.data.images import Dataset


@click.command(
    epilog="Example: vitprof search --space autovit-xxs --table lut.csv --max-latency 10ms "
    "--proxy macs --out found  |  vitprof search --supernet supernet --data photos.zip --table "
    "lut.csv --max-latency 10ms --max-params 1.8M --out found --verify"
)
@click.option("--space", help="A search space by name, a .toml or .json file (vitprof space); "
              "with --supernet its own.")  # fmt: skip
@click.option("--table", "table_paths", required=True, multiple=True,
              type=click.Path(path_type=Path),
              help="A table that vitprof measure wrote; several: the model has to be fast enough "
              "by each.")  # fmt: skip
@limit_options
@click.option("--supernet", type=click.Path(path_type=Path),
              help="Folder that vitprof supernet wrote: accuracies are its subnets'.")  # fmt: skip
@click.option("--data", "source", help="The images that the supernet was trained on.")
@click.option("--images", type=click.IntRange(1),
              help="Judge by so many of the held-out images (default: all).")  # fmt: skip
@click.option("--proxy", type=click.Choice(("macs", "params")),
              help="Without a supernet: the most MACs or parameters; no accuracy is measured.",
              )  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@algorithm_options
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 1024),
              help="Evaluate so many subnets at once, by Ray on this machine.")  # fmt: skip
@click.option("--ray", "ray_address",
              help="Evaluate on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT.")  # fmt: skip
@train_device_option
@click.option("--verify", is_flag=True, help="Measure the winners on this machine.")
@click.option("--winners", default=5, show_default=True, type=click.IntRange(1, 1000),
              help="How many models of the front --verify measures.")  # fmt: skip
@json_option
def search(
    space: str | None, table_paths: tuple[Path, ...], limits: LimitOptions, supernet: Path | None,
    source: str | None, images: int | None, proxy: str | None, out: Path, how: AlgorithmOptions,
    workers: int, ray_address: str | None, train_device: str, verify: bool, winners: int,
    as_json: bool,
) -> int:  # fmt: skip
    """Find the best model of a search space that keeps every limit.

    The model, its weights out of the supernet, the front of all that were evaluated as CSV and
    picture, and a log go to --out; an interrupted search goes on when the same command is given
    again.
    """
    from ...search.algorithms.algorithms import search as run_search
    from ...search.costs import CostModel
    from ...search.evaluation_log import EvaluationLog
    from ...search.limits import Limits
    from ...search.problem import Problem
    from ...tables import LatencyTable
    from ...training.saved_run import SavedRun
    from ..reports.searched import Results, check_verifiable, write_results

    _check_one_judge(supernet, proxy, source, images)
    tables = [LatencyTable.read_csv(path) for path in table_paths]
    check_tables(tables)
    wanted = limits.limits(len(tables))
    how.check(wanted, proxy)
    plan, goal = how.plan(proxy), how.goal()
    if verify:
        check_verifiable(tables)
    judge, chosen, data = _judge(space, supernet, source, images, train_device, as_json)
    costs = CostModel(chosen, tables)
    _note_uncalibrated(chosen, costs)
    kept = Limits(wanted, costs, tables[0].setting.batch)
    kept.check_feasible(_rng(how.seed))  # before anything is written
    asked: dict[str, Any] = {
        "command": "search", "space": chosen.to_dict(), "supernet": str(supernet or ""),
        "data": source or "", "images": images, "proxy": proxy or "",
        "tables": [str(path) for path in table_paths], **vars(limits), **vars(how),
    }  # fmt: skip
    asked["max_latency"] = list(limits.max_latency)
    saved = SavedRun(out, asked)
    log = EvaluationLog(out / "evaluations.jsonl", _searched(asked, supernet))
    if log.found:
        note(f"going on: {len(log.found)} models are evaluated already ({log.path}).")
    with (
        _evaluator(judge, proxy, costs, workers, ray_address) as evaluator,
        step_bar(not as_json) as show,
    ):
        problem = Problem(
            kept, goal, evaluator, log,
            lambda what, done, total, words: show(what, done, total, words + _best(problem)),
        )  # fmt: skip
        try:
            run_search(problem, how.algorithm, plan, how.seed)
        except KeyboardInterrupt:
            note(f"stopped; {len(log.found)} evaluations are kept in {out}, and the same command "
                 "goes on from there.")  # fmt: skip
            raise
    results = Results(problem, tables, wanted, judge, data, out, proxy, how.seed)
    fine = write_results(results, verify, winners, as_json)
    saved.finish(results.report)
    if as_json:
        print_json(results.report)
    else:
        _print(results)
    return 0 if fine else 1


def _rng(seed: int) -> Any:
    import numpy as np

    return np.random.default_rng([seed, 1])


def _check_one_judge(
    supernet: Path | None, proxy: str | None, source: str | None, images: int | None
) -> None:
    if (supernet is None) == (proxy is None):
        raise UserError(
            "give --supernet and --data, to judge models by their accuracy, or --proxy macs, to "
            "search without any."
        )
    if supernet is not None and source is None:
        raise UserError("--supernet needs --data: the images that it was trained on.")
    if proxy is not None and (source is not None or images is not None):
        raise UserError("--proxy looks at no images; take --data and --images away.")


def _judge(
    space: str | None, supernet: Path | None, source: str | None, images: int | None,
    train_device: str, quiet: bool,
) -> tuple[SubnetEvaluator | None, SearchSpace, Dataset | None]:  # fmt: skip
    """Return who judges subnets, if there is a supernet; the space; and the supernet's data."""
    from ...spaces.registry import find_search_space

    if supernet is None:
        if space is None:
            raise UserError("give --space, or --supernet whose space it is.")
        return None, find_search_space(space), None
    from ...search.evaluators.subnet_evaluator import CALIBRATION_IMAGES, SubnetEvaluator
    from ...search.supernet.folder import read_supernet
    from ...search.supernet.recalibration import calibration_images
    from ...training.data.held_out import some_of

    found = read_supernet(supernet)
    record = found.record
    if space is not None:
        record.check_space(find_search_space(space))
    assert source is not None
    spec: Any = found.supernet.spec
    data = load_data(source, spec.resolution, quiet)
    train, held_out = record.parts(data.train)
    evaluator = SubnetEvaluator(
        record.space,
        found.supernet.to(find_torch_device(train_device)),
        some_of(held_out, images or len(held_out)),
        found.norm,
        calibration_images(train, CALIBRATION_IMAGES),
    )
    return evaluator, record.space, data


@contextmanager
def _evaluator(
    judge: SubnetEvaluator | None, proxy: str | None, costs: CostModel, workers: int,
    ray_address: str | None,
) -> Iterator[Evaluator]:  # fmt: skip
    """Yield what says how good candidates are: here, or by workers of Ray."""
    if judge is None:
        from ...search.evaluators.proxy import ProxyEvaluator

        assert proxy is not None
        yield ProxyEvaluator(costs, proxy)
        return
    if workers == 1 and ray_address is None:
        yield judge
        return
    from ...ray_connection import local_ray, ray_connection
    from ...search.evaluators.ray_evaluator import RayEvaluator

    with contextlib.ExitStack() as stack:
        place = local_ray(workers) if ray_address is None else ray_connection(ray_address)
        yield RayEvaluator(judge, stack.enter_context(place))


def _searched(asked: dict[str, Any], supernet: Path | None) -> dict[str, Any]:
    """Return what evaluations depend on, and the seed: the head of the log."""
    digest = ""
    if supernet is not None:
        from ...search.supernet.folder import weights_digest

        digest = weights_digest(supernet)
    return {
        "seed": asked["seed"],
        "space": asked["space"],
        "weights": digest,
        "images": asked["images"],
        "proxy": asked["proxy"],
    }


def _note_uncalibrated(space: SearchSpace, costs: CostModel) -> None:
    for table in costs.tables:
        if space.family not in table.calibrations:
            note(
                f"warning: {table.source} has no whole {space.family} models, so latencies are "
                "sums of lone blocks; measure some with it (vitprof measure --search-space)."
            )


def _best(problem: Problem) -> str:
    """Return how good the best is so far, in words, once there is one."""
    if not problem.found or not problem.evaluator.measures.startswith("top-1"):
        return ""
    return f", best {max(problem.found.values()):.2%}"


def _shown(front: Sequence[dict[str, Any]], most: int = 10) -> list[dict[str, Any]]:
    """Return some of the front, spread over it, its ends included."""
    if len(front) <= most:
        return list(front)
    return [front[round(i * (len(front) - 1) / (most - 1))] for i in range(most)]


def _print(results: Any) -> None:
    report = results.report
    proxy = report["proxy"]
    what = f"{proxy}, M (proxy)" if proxy else "top-1 held out"
    columns = ("model", what, "predicted ms", "measured ms", "MMACs", "M params", "peak MiB")
    rows = []
    shown = _shown(report["front"])
    for model in (report["best"], *shown):
        rows.append(
            (
                model["name"],
                f"{model['figure']:.4g}" if proxy else f"{model['figure']:.2%}",
                " / ".join(milliseconds(ms) for ms in model["predicted_ms"]),
                " / ".join("-" if ms is None else milliseconds(ms) for ms in model["measured_ms"]),
                f"{model['macs'] / 1e6:.4g}",
                f"{model['params'] / 1e6:.4g}",
                f"{model['peak_bytes'] / 2**20:.3g}",
            )
        )
    print_table(columns, rows)
    if len(shown) < len(report["front"]):
        note(f"{len(shown)} of the front's {len(report['front'])} models; front.csv has all.")
    if report.get("top1") is not None:
        click.echo(f"best: top-1 {report['top1']:.2%} of the {report['test_images']} test images "
                   "(not used by the search).")  # fmt: skip
    if proxy:
        click.echo("The figure is a proxy: no accuracy was measured.")
    note(f"written: {report['out']}")
