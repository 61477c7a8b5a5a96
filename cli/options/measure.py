"""How a table is measured: options of `measure`, handed on to `vitprof.measure` as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .artifacts import artifacts_option, jobs_option
from .renamed import RenamedOption
from .table_and_setting import grouped_options


@dataclass(frozen=True)
class MeasureOptions:
    """The parameters of `vitprof.measure` beside plan and setting."""

    out: Path
    artifacts: Path | None
    jobs: int
    bundle: Path | None
    trust: bool
    time: str | None
    sessions: int
    expected_error: str | None
    accept: str | None
    fresh: bool
    ray: str | None


_OPTIONS = (
    click.option("--out", default="lut.csv", show_default=True, type=click.Path(path_type=Path)),
    artifacts_option,
    jobs_option,
    click.option(
        "--bundle",
        type=click.Path(path_type=Path),
        help="Measure a bundle that vitprof build compiled, here or elsewhere, under its setting.",
    ),
    click.option(
        "--trust",
        is_flag=True,
        help="Measure a bundle of TensorRT engines. They are programs, so use it only for "
        "bundles from someone you trust.",
    ),
    click.option(
        "--time",
        cls=RenamedOption,
        old=["--budget"],
        help="Stop adding sessions after this time, e.g. 60s or 2m.",
    ),
    click.option(
        "--sessions",
        default=3,
        show_default=True,
        type=click.IntRange(1, 99),
        help="Fresh sessions per point.",
    ),
    click.option(
        "--expected-error",
        help="Add sessions until their scatter is expected to change predictions by at most "
        "this, e.g. 0.3%.  [default: 0.4%, or half as much time again]",
    ),
    click.option(
        "--accept",
        help="The largest expected error to accept, e.g. 3%. Above it the exit code is 1.  "
        "[default: 5%]",
    ),
    click.option("--fresh", is_flag=True, help="Start again and overwrite the table at --out."),
    click.option(
        "--ray",
        metavar="ADDRESS",
        help="Measure on the nodes of a Ray cluster that have "
        "the device: auto, HOST:PORT or ray://HOST:PORT.",
    ),
)


def measure_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --out, --jobs, --bundle, --sessions, --accept and the others, as `how`."""
    return grouped_options(function, "how", MeasureOptions, _OPTIONS)
