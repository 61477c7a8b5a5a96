"""What the commands have in common that put models on this CPU and measure them side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..atomic_write import write_atomically
from ..errors import UserError
from .options.common import grouped_options
from .options.text import refuse_texts
from .options.training import load_data, normalisation_for, weights_beside
from .reports.facts_table import facts_csv

if TYPE_CHECKING:
    from ..profiler.deployed.deployed import Deployed
    from ..profiler.deployed.facts import Facts
    from ..training.data.images import Dataset, Normalisation

# Peaks of one and the same process differ by less than that share from time to time.
SAME_MEMORY = 0.02

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Deployment:
    """How models are run, and how they are measured."""

    run_batch: int
    threads: int
    test_images: int | None
    sessions: int


def deployment_options(batch_option: str = "--batch") -> Callable[[F], F]:
    """Add --batch, --threads, --test-images and --sessions, as `how`; --batch may be called so."""

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
    """Raise UserError for a folder that holds something."""
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; give another --out.")


def model_and_data(
    model: Path, source: str, resolution: int | None, quiet: bool
) -> tuple[Path, Dataset, Normalisation]:
    """Return the model's folder, its images, and how they are normalised for it.

    Raises UserError where it is no folder of a model, takes texts, or does not fit the images.
    """
    from ..models import create_spec
    from ..training.fit import check_fits

    if not model.is_dir():
        raise UserError(f"{model} is no folder with a trained model (vitprof train writes one).")
    spec: Any = create_spec(model)
    refuse_texts(spec, "quantize and what builds on it")
    data = load_data(source, resolution or spec.resolution, quiet)
    weights = weights_beside(str(model), None)
    assert weights is not None
    norm = normalisation_for(weights, data)
    check_fits(spec, data.train, norm)
    return weights, data, norm


def deployed(
    folder: Path, precision: str, out: Path, how: Deployment, runtime: str = "onnxruntime",
    ranges: Any = (), method: str = "minmax",
) -> Deployed:  # fmt: skip
    """Return the model's file in that precision; `ranges` are images that int8-static learns of."""
    from ..backends import BackendError
    from ..profiler.deployed.deployed import deploy

    try:
        return deploy(
            folder, runtime, precision, out, batch=how.run_batch, threads=how.threads,
            calibration=ranges, method=method,
        )  # fmt: skip
    except BackendError as error:
        raise UserError(f"{folder} cannot be converted to {precision}: {error}.") from None


def calibration_inputs(data: Dataset, norm: Normalisation, count: int) -> Any:
    """Return so many training images as int8-static learns its ranges from, n x c x h x w."""
    from ..training.data.held_out import some_of
    from ..training.inputs import model_inputs

    inputs: Any = model_inputs(some_of(data.train, count), norm)
    return inputs.numpy()


def measured_facts(
    files: Mapping[str, Deployed], data: Dataset, norm: Normalisation, how: Deployment, show: Any
) -> list[Facts]:
    """Return what the files are and do, keeping other measurements off this machine meanwhile."""
    from ..backends import BackendError
    from ..profiler.deployed.facts import facts_of
    from ..profiler.target import kept_device
    from ..tables.setting import PartialSetting
    from ..training.data.held_out import some_of

    test = data.test if how.test_images is None else some_of(data.test, how.test_images)
    here = PartialSetting(threads=how.threads)
    try:
        with kept_device(here, "vitprof measuring models side by side", wait=math.inf):
            return list(facts_of(files, test, norm, how.sessions, show).values())
    except BackendError as error:
        raise UserError(f"it cannot be run here: {error}.") from None


def write_facts(
    facts: Sequence[Facts], out: Path, what: Mapping[str, Any], how: Deployment
) -> dict[str, Any]:
    """Write facts.csv, facts.png and report.json, and return the report."""
    from ..profiler.deployed.plot import plot_facts
    from ..tables import Setting

    precisions = ", ".join(dict.fromkeys(one.precision for one in facts))
    setting = Setting(
        "cpu", what["runtime"], batch=how.run_batch, dtype=precisions, threads=how.threads
    )
    write_atomically(out / "facts.csv", facts_csv(facts))
    plot_facts(facts, setting, out / "facts.png")
    report = {
        **what,
        "models": [one.as_dict() for one in facts],
        "remarks": remarks(facts),
        "out": str(out),
    }
    write_atomically(out / "report.json", json.dumps(report, indent=2) + "\n")
    return report


def remarks(facts: Sequence[Facts]) -> list[str]:
    """Return in words what a user should know: where int8 does not pay."""
    first = facts[0]
    found = []
    for one in facts[1:]:
        times = one.latency_ms / first.latency_ms
        pair = f"{one.latency_ms:.4g} ms against {first.latency_ms:.4g}"
        if one.low_ms > first.high_ms:
            found.append(f"{one.name} is SLOWER than {first.name} here: {pair} ({times:.2f}x).")
        elif one.high_ms >= first.low_ms:
            found.append(f"{one.name} is no faster than {first.name} here: {pair}.")
        if one.peak_bytes > (1 + SAME_MEMORY) * first.peak_bytes:
            found.append(
                f"{one.name} needs more memory than {first.name}: "
                f"{one.peak_bytes / 2**20:.0f} MiB against {first.peak_bytes / 2**20:.0f}."
            )
    return found
