"""`vitprof choose`: of all that a once-trained model can be run as, the best under limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..deployed_models import Deployment, calibration_inputs, deployed, model_and_data
from ..options.choice import (
    PRECISIONS,
    ChoiceLimits,
    FoundLadder,
    choice_limit_options,
    chosen_precisions,
    ladder_of,
    numbers_of_threads,
)
from ..options.training import data_option, normalisation_for, resolution_option, step_bar
from ..output import json_option, note, plain, print_json
from ..reports.chosen import Judge, print_choice, write_choice

if TYPE_CHECKING:
    from ...profiler.deployed.deployed import Deployed
    from ...search.algorithms.algorithms import SearchPlan
    from ...search.deployments.deployments import Variant, VariantSpace
    from ...search.deployments.score import MeasuredLimits, Score
    from ...training.data.images import Images

ALGORITHMS = ("guided", "random", "exhaustive", "evolution")
CALIBRATION_IMAGES = 256


@click.command(
    epilog="Example: vitprof choose --variants levels --variants small --data digits --max-latency "
    "2ms --out chosen  |  vitprof choose --variants levels --variants small --data photos.zip "
    "--max-params 5.3M --algorithm random --out chosen"
)
@click.option("--variants", required=True, multiple=True, type=click.Path(path_type=Path),
              help="A folder that prune-heads wrote, or one with a model; may be repeated.",
              )  # fmt: skip
@click.option("--precisions", default=",".join(PRECISIONS), show_default=True)
@click.option("--threads", "thread_counts", default="1", show_default=True,
              help="Numbers of threads to choose from, e.g. 1,2.")  # fmt: skip
@data_option
@resolution_option
@click.option("--judge-images", type=click.IntRange(1),
              help="Judge by so many of the test images (default: half); the winner is tested on "
              "the others.")  # fmt: skip
@choice_limit_options
@click.option("--accuracy", default="top3", show_default=True, type=click.Choice(("top1", "top3")),
              help="Which counts.")  # fmt: skip
@click.option("--latency-weight", default=0.1, show_default=True, type=click.FloatRange(0),
              help="Points for each second that 10,000 images take.")  # fmt: skip
@click.option("--memory-weight", default=1.0, show_default=True, type=click.FloatRange(0),
              help="Points for each GB of memory.")  # fmt: skip
@click.option("--algorithm", default="guided", show_default=True, type=click.Choice(ALGORITHMS),
              help="guided foretells what is not measured yet; exhaustive measures everything.",
              )  # fmt: skip
@click.option("--evaluations", type=click.IntRange(1),
              help="Measure so many variants at most (default: 30 % of them).")  # fmt: skip
@click.option("--sessions", default=5, show_default=True, type=click.IntRange(1, 99),
              help="Fresh sessions that each is measured in.")  # fmt: skip
@click.option("--facts", type=click.Path(path_type=Path),
              help="File that keeps what is measured, for other limits too (default: in "
              "--out).")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of random search and evolution.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@json_option
def choose(
    variants: tuple[Path, ...], precisions: str, thread_counts: str, source: str,
    resolution: int | None, judge_images: int | None, limits: ChoiceLimits, accuracy: str,
    latency_weight: float, memory_weight: float, algorithm: str, evaluations: int | None,
    sessions: int, facts: Path | None, seed: int, out: Path, as_json: bool,
) -> int:  # fmt: skip
    """Find the best variant under limits, measuring few of them; nothing is trained.

    score = accuracy (%) - 0.1 x seconds for 10,000 images - GB of memory, of those that keep every
    limit. What was measured is kept: the same command, or one with other limits and the same
    --facts, goes on from there.
    """
    from ...profiler.target import warn_of_hazards
    from ...search.algorithms.algorithms import search as run_search
    from ...search.deployments.deployments import VariantCosts, VariantSpace
    from ...search.deployments.guided import SHARE, Outlook, guided_search
    from ...search.deployments.score import Score
    from ...search.limits import Limits
    from ...search.objective import Objective
    from ...search.problem import Problem
    from ...tables.setting import PartialSetting
    from ...training.saved_run import SavedRun

    ladders = [ladder_of(folder) for folder in variants]
    space = VariantSpace.of(
        [one.ladder for one in ladders],
        chosen_precisions(precisions),
        numbers_of_threads(thread_counts),
    )
    measured_limits = limits.measured()
    known = Limits(limits.known(), VariantCosts(space))
    known.check_feasible(_rng(seed))  # before anything is written
    in_all = space.count()
    most = evaluations or max(int(SHARE * in_all), min(5, in_all))
    score = Score(latency_weight, memory_weight)
    saved = SavedRun(out, {
        "command": "choose", "variants": [str(path) for path in variants], "data": source,
        "space": space.to_dict(), "judge_images": judge_images, **vars(limits), **vars(score),
        "accuracy": accuracy, "algorithm": algorithm, "evaluations": most, "seed": seed,
    })  # fmt: skip
    judge = _judge(
        space, ladders, source, resolution, judge_images, accuracy, score, measured_limits,
        sessions, facts or out / "facts.jsonl", as_json,
    )  # fmt: skip
    if judge.evaluator.store.found:
        note(f"{len(judge.evaluator.store.found)} variants are measured already "
             f"({judge.evaluator.store.path}).")  # fmt: skip
    warn_of_hazards(PartialSetting(threads=max(space.threads)))
    with step_bar(not as_json) as show:
        judge.evaluator.on_progress = show
        problem = Problem(known, Objective(), judge.evaluator, None, show)
        if algorithm == "guided":
            outlook = Outlook(lambda: judge.evaluator.asked, score, measured_limits)
            guided_search(problem, outlook, most)
        else:
            name = "coarse-to-fine" if algorithm == "evolution" else algorithm
            run_search(problem, name, _plan(most), seed)
        report = write_choice(problem, judge, out, show)
    report |= {"algorithm": algorithm, "variants": in_all, "seed": seed, "out": str(out)}
    saved.finish(plain(report))
    if as_json:
        print_json(report)
    else:
        print_choice(report)
    return int(report["best"]["disturbed"])


def _rng(seed: int) -> Any:
    import numpy as np

    return np.random.default_rng([seed, 1])


def _plan(most: int) -> SearchPlan:
    """Return a plan of so many evaluations: for evolution in three generations."""
    from ...search.algorithms.algorithms import SearchPlan
    from ...search.algorithms.evolution import EvolutionPlan

    population = max(most // 3, 1)
    return SearchPlan(
        draws=4096, rank="none",
        evolution=EvolutionPlan(population, most // population, max(population // 2, 1)),
    )  # fmt: skip


def _judge(
    space: VariantSpace, ladders: list[FoundLadder], source: str, resolution: int | None,
    count: int | None, accuracy: str, score: Score, limits: MeasuredLimits, sessions: int,
    facts: Path, quiet: bool,
) -> Judge:  # fmt: skip
    """Return who measures variants; the images that only the winner is tested on with it."""
    from ...backends import cpu_facts
    from ...models import create_spec
    from ...training.data.held_out import digest
    from ...training.fit import check_fits
    from ..variant_evaluator import FactsStore, VariantEvaluator

    folders = {name: place for one in ladders for name, place in one.folders.items()}
    first, *others = folders.values()
    _, data, norm = model_and_data(first, source, resolution, quiet)
    for place in others:
        spec: Any = create_spec(place)
        check_fits(spec, data.train, norm)
        if normalisation_for(place, data) != norm:
            raise UserError(
                f"{place} and {first} normalise images differently, so they cannot be judged "
                "together; leave one of them out."
            )
    top = 3 if accuracy == "top3" and len(data.test.classes) > 3 else 1
    judged, rest = _halves(data.test, count)
    digests = {name: _digest(place) for name, place in folders.items()}
    under = {
        "images": digest(judged),
        "cpu": cpu_facts()["cpu"],
        "reference": list(next(iter(digests.items()))),
    }
    store = FactsStore(facts, under, digests)
    ranges = (
        calibration_inputs(data, norm, CALIBRATION_IMAGES)
        if "int8-static" in space.precisions
        else ()
    )
    files = facts.parent / "files"

    made: dict[tuple[str, str], Deployed] = {}

    def deploy(variant: Variant) -> Deployed:
        """Write the variant's file where this run did not yet; threads are no part of it."""
        key = variant.model, variant.precision
        if key not in made:
            made[key] = deployed(
                folders[variant.model], variant.precision, files / variant.model,
                Deployment(1, 1, None, sessions), ranges=ranges,
            )  # fmt: skip
        return replace(made[key], threads=variant.threads)

    evaluator = VariantEvaluator(space, deploy, judged, norm, store, score, limits, top, sessions)
    return Judge(evaluator, folders, rest)


def _halves(images: Images, count: int | None) -> tuple[Images, Images | None]:
    """Return the images to judge by, and the others; None where there are none."""
    from ...training.data.held_out import hold_out

    wanted = len(images) // 2 if count is None else count
    if wanted >= len(images):
        return images, None
    rest, judged = hold_out(images, wanted)
    return judged, rest


def _digest(folder: Path) -> str:
    """Return a SHA-256 of a model's weights and spec."""
    import hashlib

    made = hashlib.sha256()
    for name in ("spec.json", "config.json", "model.safetensors"):
        path = folder / name
        if path.is_file():
            made.update(path.read_bytes())
    return made.hexdigest()
