"""`vitprof.choose_deployment`: which model to deploy here, and how to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..progress import ProgressOption, shown_progress
from ..quantities import Quantity
from ..search.choices import check_choice
from .deployments.question import ALL, DTYPES, Numbers

if TYPE_CHECKING:
    from ..tables.speed import Speed
    from .deployments.choice import DeploymentChoice

PERCENTILES = ("median", "p99")
ACCURACIES = ("top1", "top3")


def choose_deployment(
    models: str | Path | Sequence[str | Path],
    data: str | Path,
    *,
    out: str | Path,
    runtimes: str | Sequence[str] = ALL,
    dtypes: str | Sequence[str] = DTYPES,
    threads: Numbers = 1,
    batches: Numbers = 1,
    tokens: Numbers = 0,
    resolutions: Numbers = (),
    subnets: int = 16,
    tables: str | Path | Sequence[str | Path] = (),
    at: Speed | str = "typical",
    percentile: str = "median",
    max_latency: Quantity | None = None,
    max_memory: Quantity | None = None,
    max_size: Quantity | None = None,
    max_energy: float | None = None,
    min_accuracy: Quantity | None = None,
    accuracy: str = "top1",
    judge_images: int | None = None,
    measurements: int | None = None,
    sessions: int = 3,
    environments: Mapping[str, str] | None = None,
    facts: str | Path | None = None,
    seed: int = 0,
    progress: ProgressOption = False,
) -> DeploymentChoice:
    """Find the most accurate model, and how to run it here, under limits.

    Every model x tokens x resolution is judged once in fp32 by PyTorch. Tables and what was
    measured so far predict the rest; a few deployments are measured, those that promise most. The
    best and the next two are then measured side by side and tested on images that did not choose
    them. What is measured is kept in `facts`, and serves other limits too.

    Args:
        models: folders with a trained model of any family or origin (Hugging Face's too), a
            supernet, or folders of such folders, as `prune` and `prune_heads` write them.
        data: the images, see `vitprof.train`.
        out: folder to write: best/, deployments.csv, deployments.png and report.json.
        runtimes: "all" that are here, or their names: "onnxruntime", "openvino", "torch", "litert",
            "executorch".
        dtypes: number formats; each runtime is given those that it has.
        threads, batches: numbers of threads, and of images a run, to choose from.
        tokens: how many tokens each layer of a ViT merges (ToMe), to choose from: [0, 2, 4].
        resolutions: pixels of a side to choose from; none for each model's own.
        subnets: how many subnets of a supernet are candidates, its largest and smallest included.
        tables: latency tables of this machine, one a runtime, number format, threads and batch.
        at: state latencies at this speed of the machine: "undisturbed", "typical" or "p90".
        percentile: what `max_latency` limits: "median" or "p99" of single runs.
        max_latency: of one image (a run's time over its batch): milliseconds, or text ("3ms").
        max_memory: peak resident set of the process: bytes, or text ("100MiB"). max_size: of the
            files on disk. max_energy: of one image, in mJ. min_accuracy: 0.8, "80%" or 80.
        accuracy: which counts: "top1" or "top3".
        judge_images: judge by so many of the test images; None: half; the best one is tested on the
            others.
        measurements: try so many deployments at most; None: 5 % of them, but 12 at least.
        sessions: fresh sessions that each is measured in.
        environments: the Python that has a runtime, where it is not this one:
            {"litert": ".venv-litert/bin/python"}. vitprof is installed there too.
        facts: file that keeps what is measured; None: in `out`.
        seed: of the subnets that are drawn.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Returns:
        A `DeploymentChoice`: `best`, `others`, `relaxed`, `to_frame()`, `plot()`, `file`.

    Raises:
        UserError: nothing that was measured keeps the limits (naming the nearest), a model does not
            fit the images, energy cannot be measured here, or what was given does not go together.

    Example:
        >>> import vitprof
        >>> found = vitprof.choose_deployment(  # doctest: +SKIP
        ...     ["deit", "swin"], "photos", out="chosen", tokens=[0, 4], max_latency="2ms"
        ... )
        >>> found.best["name"], found.file  # doctest: +SKIP
    """
    from ..profiler.target import check_free
    from ..search.deployment_space.answer import nothing_keeps
    from ..search.deployment_space.deployment import every_deployment
    from ..search.deployment_space.knowledge import Knowledge
    from ..search.deployment_space.policy import choose_best, most_measurements
    from ..tables.setting import PartialSetting
    from ..tables.speed import speed_of
    from .deployments.choice import DeploymentChoice
    from .deployments.files import DeploymentFiles, Workers
    from .deployments.log import DeploymentLog
    from .deployments.machine import DeploymentMachine
    from .deployments.measuring import Measuring
    from .deployments.question import (
        check_counts,
        checked_out,
        energy_here,
        judge_of,
        limits_of,
        numbers_of,
        table_ms_of,
        tables_of,
        under,
        ways_of,
    )
    from .deployments.sources import variants_to_choose_from

    check_choice("accuracy", accuracy, ACCURACIES)
    check_choice("percentile", percentile, PERCENTILES)
    speed = speed_of(at)
    limits = limits_of(max_latency, max_memory, max_size, max_energy, min_accuracy)
    check_counts(
        subnets=subnets, sessions=sessions, measurements=measurements, judge_images=judge_images
    )
    counts = numbers_of("threads", threads, 1), numbers_of("batches", batches, 1)
    merged = numbers_of("tokens", tokens, 0)
    pixels = numbers_of("resolutions", resolutions, 1, may_lack=True)
    energy = None if max_energy is None else energy_here()
    luts, folder = tables_of(tables, speed), checked_out(out)
    check_free(PartialSetting(), "vitprof choose")
    with ExitStack() as stack:
        on_progress = stack.enter_context(shown_progress(progress))
        workers = stack.enter_context(Workers(dict(environments or {})))
        ways = ways_of(runtimes, dtypes, *counts, workers)
        judge = judge_of(str(data), judge_images, on_progress)
        variants, first = variants_to_choose_from(
            models, judge.data_at, merged, pixels, subnets, seed, folder
        )
        images = judge.judged(first)
        top = 3 if accuracy == "top3" and len(images.classes) > 3 else 1
        log_path = folder / "facts.jsonl" if facts is None else Path(facts)
        log = DeploymentLog(log_path, under(images))
        files = DeploymentFiles(variants, judge.data_at, folder / "files", workers, on_progress)
        machine = DeploymentMachine(files, judge.judged, log, sessions, energy, on_progress)
        deployments = every_deployment(variants, ways)
        knowledge = Knowledge(
            deployments, machine.accuracies(top), table_ms_of(luts, variants.values())
        )
        measuring = Measuring(machine, knowledge, limits, speed, top, percentile == "p99")
        measuring.recall()
        pick = choose_best(
            knowledge,
            limits,
            measuring.measure,
            measurements or most_measurements(len(deployments)),
            on_measured=lambda done, most, name: on_progress("measuring", done, most, name),
        )
        if pick.best is None:
            raise UserError(nothing_keeps(knowledge, limits))
        verified = measuring.verified(judge.others)
        result = DeploymentChoice.of(
            knowledge,
            limits,
            verified,
            tried=pick.tried,
            top=top,
            at=speed,
            percentile=percentile,
            judged_images=len(images),
            path=folder,
        )
        best = deployments[result.winner.place]
        result.save_best(variants[best.variant].folder, files.of(best))
    result.save(folder)
    return result
