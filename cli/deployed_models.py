"""What prune-heads and choose import until they are verbs: now `profiler.deployed.comparison`,
`profiler.deployed.result`, `training.data.loading`, `training.inputs` and `training.model_folder`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..atomic_write import write_atomically
from ..progress import shown_progress
from .options.common import grouped_options

if TYPE_CHECKING:
    from ..profiler.deployed.comparison import Comparison
    from ..profiler.deployed.deployed import Deployed
    from ..profiler.deployed.facts import Facts
    from ..training.data.images import Dataset, Normalisation

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Deployment:
    run_batch: int
    threads: int
    test_images: int | None
    sessions: int

    def comparison(self) -> Comparison:
        from ..profiler.deployed.comparison import Comparison

        return Comparison(self.run_batch, self.threads, self.test_images, self.sessions)


def deployment_options(batch_option: str = "--batch") -> Callable[[F], F]:
    def add(function: F) -> F:
        return grouped_options(function, "how", Deployment, (
            click.option(batch_option, "run_batch", default=1, show_default=True,
                         type=click.IntRange(1, 4096), help="Images a run that is measured."),
            click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 1024),
                         help="The runtime's threads."),
            click.option("--test-images", type=click.IntRange(1),
                         help="Test on so many of the test images (default: all)."),
            click.option("--sessions", default=5, show_default=True, type=click.IntRange(1, 99),
                         help="Fresh sessions that each is measured in."),
        ))  # fmt: skip

    return add


def check_new(out: Path) -> None:
    from ..training.model_folder import check_empty

    check_empty(out)


def model_and_data(
    model: Path, source: str, resolution: int | None, quiet: bool
) -> tuple[Path, Dataset, Normalisation]:
    from ..training.data.loading import images_for_trained

    with shown_progress(not quiet) as on_progress:
        return images_for_trained(model, source, resolution, on_progress)


def deployed(
    folder: Path, precision: str, out: Path, how: Deployment, runtime: str = "onnxruntime",
    ranges: Any = (), method: str = "minmax",
) -> Deployed:  # fmt: skip
    return how.comparison().write(folder, precision, out, runtime, ranges, method)


def calibration_inputs(data: Dataset, norm: Normalisation, count: int) -> Any:
    from ..training.inputs import calibration_inputs as inputs

    return inputs(data.train, norm, count)


def measured_facts(
    files: Mapping[str, Deployed], data: Dataset, norm: Normalisation, how: Deployment, show: Any
) -> list[Facts]:
    return how.comparison().measure(files, data, norm, show)


def write_facts(
    facts: Sequence[Facts], out: Path, what: Mapping[str, Any], how: Deployment
) -> dict[str, Any]:
    from ..profiler.deployed.result import DeployedModels

    found = DeployedModels(tuple(facts), what["runtime"], out)
    found.save(out)
    report = {**what, **found.report(), "runtime": what["runtime"]}
    write_atomically(out / "report.json", json.dumps(report, indent=2) + "\n")
    return report
