"""`vitprof.choose`: of all that a once-trained model can be run as, the best under limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..notes import note
from ..progress import OnProgress, ProgressOption, shown_progress
from ..quantities import Quantity, bytes_of, latency_ms, share
from ..search.choices import check_choice
from ..search.deployments.choices import ACCURACIES, ALGORITHMS, DTYPES
from .chosen import MEBI, ChoiceResult

if TYPE_CHECKING:
    from ..search.deployments.evaluator import DeploymentEvaluator
    from ..search.deployments.score import Measured, MeasuredLimits
    from ..search.deployments.space import DeploymentSpace
    from ..search.problem import SearchProblem
    from ..training.data.images import Images
    from .measured_deployments import MeasuredDeployments

CALIBRATION_IMAGES = 256


def choose(
    models: str | Path | Sequence[str | Path],
    data: str | Path,
    *,
    out: str | Path,
    dtypes: str | Sequence[str] = DTYPES,
    threads: int | str | Sequence[int] = 1,
    resolution: int | None = None,
    judge_images: int | None = None,
    max_latency: Quantity | None = None,
    max_memory: Quantity | None = None,
    max_params: Quantity | None = None,
    max_macs: Quantity | None = None,
    max_cpu: float | str | None = None,
    min_accuracy: Quantity | None = None,
    accuracy: str = "top3",
    latency_weight: float = 0.1,
    memory_weight: float = 1.0,
    algorithm: str = "guided",
    evaluations: int | None = None,
    sessions: int = 5,
    facts: str | Path | None = None,
    seed: int = 0,
    fresh: bool = False,
    progress: ProgressOption = False,
) -> ChoiceResult:
    """Find the best deployment under limits, measuring few of them; nothing is trained.

    score = accuracy (%) - 0.1 x seconds for 10,000 images - GB of memory, of those that keep every
    limit. What was measured is kept: the same call, or one with other limits and the same `facts`,
    goes on from there.

        chosen = vitprof.choose(["levels", "small"], "digits", out="chosen", max_latency="2ms")
        chosen.best.name, chosen.file
        chosen.to_frame()[["name", "score", "latency_ms", "top3"]]
        chosen.plot("chosen.png")

    Args:
        models: folders that `vitprof.prune_heads` wrote, or with a model.
        data: the images, see `vitprof.train`.
        out: folder to write: best/, variants.csv, variants.png, report.json.
        dtypes: number formats to choose from: "fp32", "int8", "int8-static".
        threads: numbers of threads to choose from.
        resolution: scale images to so many pixels a side; None: the model's.
        judge_images: judge by so many of the test images; None: half; the best one is tested on the
            others.
        max_latency: of one image: milliseconds, or text ("3ms"). max_memory: peak resident set of
            the process: bytes, or text ("100MiB"). max_params, max_macs: numbers, or text ("2M").
            max_cpu: per cent of one core, while it runs (120 or "120%"). min_accuracy: 0.8, "80%"
            or 80.
        accuracy: which counts: "top1" or "top3".
        latency_weight: points for each second that 10,000 images take. memory_weight: for each GB.
        algorithm: "guided" predicts what is not measured yet; "random"; "evolution"; "exhaustive"
            measures everything.
        evaluations: measure so many at most; None: 30 % of them.
        sessions: fresh sessions that each is measured in.
        facts: file that keeps what is measured, for other limits too; None: in `out`.
        seed: of random search and evolution.
        fresh: start again where `out` holds a run.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: nothing that was measured keeps the limits (naming the nearest), one cannot be
            run here, or what was given does not go together.
    """
    import numpy as np

    from ..profiler.target import check_free, warn_of_hazards
    from ..search.deployments.algorithms import run_choice
    from ..search.deployments.evaluator import DeploymentEvaluator
    from ..search.deployments.guided import most_evaluations
    from ..search.deployments.ladder import ladder_of
    from ..search.deployments.score import Score
    from ..search.deployments.space import DeploymentCosts, DeploymentSpace
    from ..search.feasible import feasible
    from ..search.goal import SearchGoal
    from ..search.limits import Limits
    from ..search.problem import SearchProblem
    from ..tables.setting import PartialSetting
    from ..training.saved_run import SavedRun

    check_choice("algorithm", algorithm, ALGORITHMS)
    check_choice("accuracy", accuracy, ACCURACIES)
    paths = [models] if isinstance(models, str | Path) else models
    ladders = [ladder_of(Path(path)) for path in paths]
    space = DeploymentSpace.of([one.ladder for one in ladders], _dtypes(dtypes), _threads(threads))
    measured_limits = _measured_limits(max_latency, max_memory, max_cpu, min_accuracy)
    known = Limits.of(max_params=max_params, max_macs=max_macs)
    costs = DeploymentCosts(space)
    feasible(space, costs, known, np.random.default_rng([seed, 1]))  # before anything is written
    most = evaluations or most_evaluations(space.count())
    score = Score(latency_weight, memory_weight)
    check_free(PartialSetting(), "vitprof choose")
    folder = Path(out)
    least = measured_limits.accuracy
    saved = SavedRun(
        folder,
        {
            "command": "choose",
            "models": [str(path) for path in paths],
            "data": str(data),
            "space": space.to_dict(),
            "judge_images": judge_images,
            "max_latency": max_latency,
            "max_memory": max_memory,
            "max_params": max_params,
            "max_macs": max_macs,
            "max_cpu": max_cpu,
            "min_accuracy": None if least is None else 100 * least,
            **vars(score),
            "accuracy": accuracy,
            "algorithm": algorithm,
            "evaluations": most,
            "seed": seed,
        },
        fresh=fresh,
    )
    log = folder / "facts.jsonl" if facts is None else Path(facts)
    if fresh and facts is None:
        log.unlink(missing_ok=True)
    with shown_progress(progress) as on_progress:
        folders = {name: place for one in ladders for name, place in one.folders.items()}
        machine, rest = _machine(
            space,
            folders,
            str(data),
            resolution,
            judge_images,
            accuracy,
            sessions,
            log,
            on_progress,
        )
        if machine.log.found:
            note(f"{len(machine.log.found)} variants are measured already ({machine.log.path}).")
        warn_of_hazards(PartialSetting(threads=max(space.threads)))
        evaluator = DeploymentEvaluator(space, machine.measured, score, measured_limits)
        problem = SearchProblem(
            space, costs, known, SearchGoal(), evaluator, on_progress=on_progress
        )
        run_choice(problem, algorithm, most, seed)
        result = _chosen(problem, evaluator, machine, rest, algorithm, seed, folder)
    result.save(folder)
    saved.finish(result.report())
    return result


def _dtypes(dtypes: str | Sequence[str]) -> list[str]:
    parts = dtypes.split(",") if isinstance(dtypes, str) else dtypes
    found = [part.strip() for part in parts if part.strip()]
    for one in found:
        check_choice("dtypes", one, DTYPES)
    return found


def _threads(threads: int | str | Sequence[int]) -> list[int]:
    parts = threads.split(",") if isinstance(threads, str) else threads
    try:
        found = [parts] if isinstance(parts, int) else [int(part) for part in parts]
    except ValueError:
        found = []
    if not found or not all(0 < count <= 1024 for count in found):
        raise UserError(
            f"`threads` {threads} is not a list of numbers from 1 to 1024, such as 1,2."
        )
    return found


def _measured_limits(
    latency: Quantity | None,
    memory: Quantity | None,
    cpu: float | str | None,
    accuracy: Quantity | None,
) -> MeasuredLimits:
    from ..search.deployments.score import MeasuredLimits

    return MeasuredLimits(
        None if latency is None else latency_ms(latency),
        None if memory is None else bytes_of(memory),
        None if cpu is None else _percent(cpu),
        None if accuracy is None else share(accuracy),
    )


def _percent(cpu: float | str) -> float:
    try:
        value = float(cpu.removesuffix("%")) if isinstance(cpu, str) else float(cpu)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UserError(f"`max_cpu` {cpu} is not a share of a core; write it as 100%.")
    return value


def _machine(
    space: DeploymentSpace,
    folders: Mapping[str, Path],
    data: str,
    resolution: int | None,
    judge_images: int | None,
    accuracy: str,
    sessions: int,
    log: Path,
    on_progress: OnProgress,
) -> tuple[MeasuredDeployments, Images | None]:
    """Return what measures deployments, and the images that only the best one is tested on."""
    from ..backends import cpu_facts
    from ..models import create_spec
    from ..profiler.deployed.facts_log import FactsLog
    from ..training.data.held_out import digest
    from ..training.data.loading import images_for_trained
    from ..training.fit import check_fits
    from ..training.inputs import calibration_inputs
    from ..training.model_folder import normalisation_for
    from .measured_deployments import MeasuredDeployments

    first, *others = folders.values()
    _, images, norm = images_for_trained(first, data, resolution, on_progress)
    for place in others:
        check_fits(create_spec(place), images.train, norm)
        if normalisation_for(place, images) != norm:
            raise UserError(
                f"{place} and {first} normalise images differently, so they cannot be judged "
                "together; leave one of them out."
            )
    top = 3 if accuracy == "top3" and len(images.test.classes) > 3 else 1
    judged, rest = _halves(images.test, judge_images)
    digests = {name: _digest(place) for name, place in folders.items()}
    under = {
        "images": digest(judged),
        "cpu": cpu_facts()["cpu"],
        "reference": list(next(iter(digests.items()))),
    }
    static = "int8-static" in space.precisions
    ranges = calibration_inputs(images.train, norm, CALIBRATION_IMAGES) if static else ()
    machine = MeasuredDeployments(
        space,
        folders,
        judged,
        norm,
        ranges,
        log.parent / "files",
        FactsLog(log, under, digests),
        top,
        sessions,
        on_progress,
    )
    return machine, rest


def _halves(images: Images, count: int | None) -> tuple[Images, Images | None]:
    """Return the images to judge by, and the others; None where there are none."""
    from ..training.data.held_out import hold_out

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


def _chosen(
    problem: SearchProblem,
    evaluator: DeploymentEvaluator,
    machine: MeasuredDeployments,
    rest: Images | None,
    algorithm: str,
    seed: int,
    out: Path,
) -> ChoiceResult:
    """Return the best of what was measured, tested on the other images.

    Raises UserError where nothing that was measured keeps the limits, naming the nearest.
    """
    import numpy as np

    from ..profiler.deployed.facts import accuracy_of

    space = evaluator.space
    found = {
        space.deployment(np.array(key, dtype=np.int16)): one for key, one in problem.found.items()
    }
    top = max(one.rank for one in found.values())
    # Of equals (threads change no answer, and latency may not count) the fastest.
    equals = [deployment for deployment, one in found.items() if one.rank == top]
    best = min(equals, key=lambda deployment: machine.facts(deployment).latency_ms)
    if not found[best].keeps_limits:
        raise UserError(_nearest(evaluator, best.name, machine.measured(best)))
    rows = [
        {**machine.facts(deployment).as_dict(), "score": one.figure if one.keeps_limits else None}
        for deployment, one in found.items()
    ]
    rows.sort(key=lambda row: (row["score"] is None, -(row["score"] or 0.0)))
    file = machine.file(best)
    tested = None
    if rest is not None:
        tested = accuracy_of(
            file, rest, machine.norm, machine.on_progress, "testing the winner"
        ).accuracy
    return ChoiceResult(
        best,
        machine.facts(best),
        found[best].figure,
        tuple(rows),
        evaluator.limits,
        machine.top,
        len(machine.images),
        tested,
        space.count(),
        algorithm,
        seed,
        machine.folders[best.model],
        file.path,
        out,
    )


def _nearest(evaluator: DeploymentEvaluator, name: str, measured: Measured) -> str:
    """Return the sentence that says what comes nearest to the limits."""
    limits = evaluator.limits
    words = {
        "latency_ms": (f"{measured.latency_ms:.4g} ms", f"{limits.latency_ms or 0:.4g} ms"),
        "memory_bytes": (_mebi(measured.memory_bytes), _mebi(limits.memory_bytes or 0)),
        "cpu_percent": (f"{measured.cpu_percent:.0f} % CPU", f"{limits.cpu_percent or 0:.0f} %"),
        "accuracy": (
            f"{100 * measured.accuracy:.2f} % accuracy",
            f"{100 * (limits.accuracy or 0):.2f} %",
        ),
    }
    missed = ", ".join(
        f"{words[kind][0]} where {words[kind][1]} is the limit" for kind in limits.excess(measured)
    )
    count = len(evaluator.measured)
    more = ", or try `algorithm` exhaustive" if count < evaluator.space.count() else ""
    return (
        f"none of the {count} variants that were measured keeps the limits; the nearest is "
        f"{name}: {missed}. Allow that much{more}."
    )


def _mebi(size: float) -> str:
    return f"{size / MEBI:.4g} MiB"
