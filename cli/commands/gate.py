"""`vitprof gate`: budgets and regressions, for continuous integration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...atomic_write import check_writable, write_atomically
from ...errors import UserError
from ..exit_codes import GATE_FAILED, GATE_UNDECIDED
from ..options.download import download_option
from ..options.shapes import shape_option
from ..options.table_and_setting import (
    at_option,
    extrapolate_option,
    given_options,
    given_settings,
    setting_options,
)
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.gate import print_gate

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting

# What a file of budgets has a place for.
_SAID_BY_CONFIG = {
    *("table", "at", "extrapolate", "require_device", "allow_other_outputs", "time", "sessions"),
    *("device", "backend", "provider", "dtype", "batch", "threads", "sparsity", "cache", "graph"),
}


@click.command(
    epilog="Example: vitprof gate --table lut.csv --model deit-tiny --max-latency 12ms  |  "
    "vitprof gate --base a.onnx --head b.onnx --max-regression 5%  |  "
    "vitprof gate --config gate.toml --junit gate.xml --summary gate.md"
)
@click.option(
    "--model",
    "models",
    multiple=True,
    help="Judge this model (as predict takes it) by the table; may be repeated.",
)
@click.option(
    "--table",
    "table",
    default="lut.csv",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The table that predicts (vitprof measure).",
)
@click.option(
    "--max-latency", help="The most that one run of the table's batch may take, e.g. 12ms."
)
@click.option("--max-memory", help="The most memory for weights and the largest block, e.g. 64MiB.")
@click.option("--max-params", help="The most parameters, e.g. 6M.")
@click.option("--max-macs", help="The most multiply-accumulates, e.g. 1.3G.")
@at_option
@extrapolate_option
@click.option("--require-device", help="End with an error if the table is of another device.")
@click.option(
    "--base",
    "base",
    multiple=True,
    help="Measure --head against this model (as bench takes it); may be repeated, one for each.",
)
@click.option("--head", "head", multiple=True, help="The model that may have become slower.")
@click.option(
    "--base-result",
    type=click.Path(path_type=Path),
    help="Instead of --base: the output of vitprof bench --reference --json on this machine.",
)
@click.option("--max-regression", help="How much slower --head may be, e.g. 5%.")
@click.option(
    "--allow-other-outputs",
    is_flag=True,
    help="Judge --head even if its inputs or outputs differ from those of --base.",
)
@click.option(
    "--time",
    default="2m",
    show_default=True,
    help="Start no further session of a comparison after this time.",
)
@click.option(
    "--sessions",
    default=240,
    show_default=True,
    help="At most this many pairs of fresh sessions; it stops as soon as the result is clear.",
)
@click.option("--seed", type=int, help="Seed of the random order of base and head (default: any).")
@setting_options
@shape_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Judge all budgets and regressions of this file (docs/gate.md).",
)
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML.")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    help="Write Markdown, for a pull request or the summary of a job.",
)
@download_option
@wait_option
@json_option
def gate(
    models: tuple[str, ...],
    table: Path,
    max_latency: str | None,
    max_memory: str | None,
    max_params: str | None,
    max_macs: str | None,
    at: str | None,
    extrapolate: bool,
    require_device: str | None,
    base: tuple[str, ...],
    head: tuple[str, ...],
    base_result: Path | None,
    max_regression: str | None,
    allow_other_outputs: bool,
    time: str,
    sessions: int,
    seed: int | None,
    wanted: PartialSetting,
    shapes: Mapping[str, tuple[int, ...]] | None,
    config: Path | None,
    junit: Path | None,
    summary: Path | None,
    download: bool,
    as_json: bool,
) -> int:
    """Judge models by latency budgets, or by measuring them against a base.

    From a table, without a device: --model with --max-latency. Measured here, in turns: --base,
    --head and --max-regression. A limit is passed if the whole 95 % interval is within it, failed
    if all of the interval is beyond it, and otherwise too noisy to say.

    Exit codes: 0 passed; 3 over a limit or regressed; 4 too noisy or too uncertain to say; 2 the
    input; 75 the device is busy; 130 interrupted.
    """
    from ...profiler.regression.outcome import Outcome
    from ...verbs.gate import gate as judge

    outputs = [path for path in (junit, summary) if path is not None]
    for path in outputs:
        check_writable(path)
    if len(outputs) == 2 and outputs[0].resolve() == outputs[1].resolve():
        raise UserError("`junit` and `summary` are one file; give each its own.")
    if config is not None and (beside := given_options(_SAID_BY_CONFIG)):
        raise UserError(
            f"{' and '.join(beside)} cannot be given beside `config`, which says what is judged."
        )
    given: dict[str, Any] = given_settings(wanted)
    found = judge(
        models,
        table,
        max_latency=max_latency,
        max_memory=max_memory,
        max_params=max_params,
        max_macs=max_macs,
        at=at,
        extrapolate=extrapolate,
        require_device=require_device,
        base=base,
        head=head,
        base_result=base_result,
        max_regression=max_regression,
        allow_other_outputs=allow_other_outputs,
        time=time,
        sessions=sessions,
        seed=seed,
        config=config,
        shapes=shapes,
        download=download,
        progress=not as_json,
        **given,
    )
    if as_json:
        print_json(found.report())
    else:
        print_gate(found)
    if junit:
        write_atomically(junit, found.junit())
    if summary:
        write_atomically(summary, found.markdown())
    for path in outputs:
        note(f"written: {path}")
    return {Outcome.FAILED: GATE_FAILED, Outcome.UNDECIDED: GATE_UNDECIDED}.get(found.outcome, 0)
