"""`vitprof measure`: plan -> compile -> sample -> table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UserError, did_you_mean
from .options import seconds_of, setting_options
from .output import (
    json_option,
    milliseconds,
    note,
    note_doubtful,
    print_json,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from ..profiler.passes import OnProgress
    from ..tables import LatencyTable
    from ..tables.row import Context
    from .here import Wanted

SPACES = ("vit",)


@click.command(
    epilog="Example: vitprof measure --device cpu --space vit --out lut.csv  |  "
    "vitprof measure --model vit-tiny-32 --out small.csv"
)
@setting_options
@click.option("--space", default="vit", show_default=True, help="Family of blocks: vit.")
@click.option(
    "--model",
    help="Cover this model and everything narrower, instead of DeiT-Ti to DeiT-B: a name "
    "(vitprof models), a spec's JSON file or a Hugging Face folder.",
)
@click.option("--out", default="lut.csv", show_default=True, type=click.Path(path_type=Path))
@click.option("--resolution", type=click.IntRange(1, 4096), help="Image side (default 224).")
@click.option("--patch", type=click.IntRange(1, 4096), help="Patch side (default 16).")
@click.option("--classes", type=click.IntRange(1, 65536), help="Classes (default 1000).")
@click.option("--tokens", help="Sequence lengths, e.g. 197,148,99 (default: the image's own).")
@click.option("--grid", help='Levels of axes, e.g. "embed=192,384;attention.heads=1,3,6".')
@click.option(
    "--points",
    type=click.IntRange(1),
    help="Measure at most so many blocks: fewer levels than the default grid, or more where "
    "interpolation errs most.",
)
@click.option(
    "--models",
    "whole_models",
    default=8,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Measure so many whole models too, and fit the line from blocks to models on them.",
)
@click.option(
    "--context",
    default="alone",
    show_default=True,
    help="Measure a block alone, or what it adds in_network (a chain of its repeats).",
)
@click.option(
    "--in-model",
    help="Measure every block of this model in its place: the model with and without it.",
)
@click.option("--budget", help="Stop adding sessions after this time, e.g. 60s or 2m.")
@click.option(
    "--sessions",
    default=3,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Fresh sessions a point.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the order of measuring.")
@click.option("--fresh", is_flag=True, help="Start over: write over the table at --out.")
@json_option
def measure(
    wanted: Wanted, space: str, model: str | None, out: Path, resolution: int | None,
    patch: int | None, classes: int | None, tokens: str | None, grid: str | None, points: int | None,
    whole_models: int, context: str, in_model: str | None, budget: str | None,
    sessions: int, seed: int, fresh: bool, as_json: bool,
) -> int:  # fmt: skip
    """Measure a latency table of this machine.

    Interrupted (Ctrl-C, a crash, a full disk), the same command goes on where it stopped.
    """
    check_space(space)
    from ..models import ViTSpec, create_spec
    from ..profiler.measure import measure_table
    from ..profiler.plan import Plan
    from ..profiler.protocol import Protocol
    from ..profiler.refine import measure_refined
    from ..profiler.vit_space import VitSpace
    from .here import open_device, warn_of_hazards

    backend, setting, options = open_device(wanted)
    chosen = VitSpace()
    if model:
        spec = create_spec(model)
        if not isinstance(spec, ViTSpec):
            raise UserError(f"{model} is not a plain ViT, and the space is '{space}'.")
        chosen = VitSpace.covering(spec)
    chosen = chosen.with_frame(resolution=resolution, patch=patch, classes=classes)
    chosen = chosen.with_levels(f"{grid or ''};{f'tokens={tokens}' if tokens else ''}")
    others = {"--model": model, "--grid": grid, "--points": points, "--tokens": tokens,
              "--resolution": resolution, "--patch": patch, "--classes": classes}  # fmt: skip
    given = [option for option, value in others.items() if value is not None]
    if in_model is not None and (given or context != "alone"):
        raise UserError(
            "--in-model measures the blocks of one model as it is; take "
            f"{', '.join(given) or '--context'} away."
        )
    in_context = _context(context)
    allowed_s = seconds_of(budget) if budget is not None else None
    refine = points is not None and points > len(chosen.blocks())
    if points and not refine:
        chosen = chosen.limited_to(points)
    models = [] if in_model is not None else chosen.calibration_models(whole_models, seed)
    started = time.monotonic()
    start_over = fresh

    def measure_plan(plan: Plan, on_progress: OnProgress) -> LatencyTable:
        nonlocal start_over
        left = None if allowed_s is None else allowed_s - (time.monotonic() - started)
        table = measure_table(
            plan,
            backend,
            setting,
            out,
            protocol=Protocol(sessions=sessions, model_sessions=max(sessions, 5), seed=seed),
            fresh=start_over,
            budget_s=left,
            on_progress=on_progress,
            options=options,
        )
        start_over = False  # what a refinement adds goes into the same table
        return table

    warn_of_hazards(wanted)
    try:
        with progress_bar(enabled=not as_json) as on_progress:
            if in_model is not None:
                table = measure_plan(Plan.in_model(create_spec(in_model)), on_progress)
            elif refine and points is not None:
                table = measure_refined(
                    chosen,
                    points,
                    lambda space, probes: measure_plan(
                        Plan.of_blocks([*space.blocks(), *probes], in_context, models), on_progress
                    ),
                    seed,
                    lambda worst: note(
                        f"refining: interpolation is {worst.error:+.1%} off at {worst.gap.probe}; "
                        f"{worst.gap.op} gets the level {worst.gap.axis}={worst.gap.level}"
                    ),
                )
            else:
                table = measure_plan(
                    Plan.of_blocks(chosen.blocks(), in_context, models), on_progress
                )
    except KeyboardInterrupt:
        note(f"stopped; what is done is kept in {out}, and the same command goes on from there.")
        raise
    return _report(table, out, as_json)


def _report(table: LatencyTable, out: Path, as_json: bool) -> int:
    """Print what was measured; return the exit code."""
    failed = [row for row in table.rows if row.verdict == "failed"]
    unstable = [row for row in table.rows if row.verdict == "unstable"]
    if as_json:
        print_json(
            {
                "table": str(out),
                "points": len(table.block_rows),
                "models": len(table.model_rows),
                "failed": [str(row.subject) for row in failed],
                "unstable": [str(row.subject) for row in unstable],
                "calibration": table.calibration.as_dict() if table.calibration else None,
                "drift": table.other["drift"],
                "session_sd": table.other["session_sd"],
                "seconds": table.other["seconds"],
            }
        )
    else:
        _print_summary(table, out)
    note_doubtful(failed, unstable)
    return 1 if failed or unstable else 0


def check_space(name: str) -> None:
    """Raise UserError for a family of blocks that is not known."""
    if name not in SPACES:
        raise UserError(f"unknown space '{name}'{did_you_mean(name, SPACES)}.")


def _context(name: str) -> Context:
    known: dict[str, Context] = {"alone": "alone", "in_network": "in_network"}
    if name not in known:
        raise UserError(f"unknown context '{name}'{did_you_mean(name, known)}.")
    return known[name]


def _print_summary(table: LatencyTable, out: Path) -> None:
    from ..tables.comparison import block_speeds

    rows = []
    speeds_of_blocks = block_speeds(table)
    for op in table.ops:
        of_op = [speed for speed in speeds_of_blocks if speed.block.op == op]
        times = [speed.latency_ms for speed in of_op]
        speeds = [speed.gmacs_per_s for speed in of_op]
        rows.append(
            (
                op,
                str(len(times)),
                f"{milliseconds(min(times))} .. {milliseconds(max(times))}" if times else "-",
                f"{min(speeds):.3g} .. {max(speeds):.3g}" if times else "-",
            )
        )
    print_table(("op", "points", "ms", "GMAC/s"), rows)
    seconds = table.other["seconds"]
    click.echo(
        f"{out}: {len(table.block_rows)} blocks and {len(table.model_rows)} whole models in "
        f"{seconds['total']:.0f} s "
        f"({seconds['warmup'] + seconds['timed']:.0f} s in warm-up and timed runs); two sessions "
        f"of one point differ by {100 * table.other['session_sd']:.1f} % (standard deviation)."
    )
    drift = table.other["drift"]
    if drift:
        spread = (drift["p90_ms"] - drift["p10_ms"]) / drift["typical_ms"]
        click.echo(
            f"The machine's speed wandered by {spread:.1%} meanwhile (a reference block, 10th to "
            "90th percentile); latencies are corrected for it, raw medians are in session_ms."
        )
    line = table.calibration
    if line:
        from ..tables.calibrate import in_words

        click.echo(
            f"A whole model: {in_words(line)}, fitted on {line.models} models; held out, it errs "
            f"by {line.held_out_mape:.1%}."
        )
