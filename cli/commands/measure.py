"""`vitprof measure`: plan -> compile -> sample -> table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UserError
from ..fleet import ray_option, report_lost, table_measurer
from ..from_bundle import bundle_measurer, bundle_option, trust_option
from ..options.common import seconds_of, setting_options
from ..options.plan import Planned, PlanWanted, check_space, plan_options
from ..output import (
    json_option,
    milliseconds,
    note,
    note_doubtful,
    print_json,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from ...profiler.plan import Plan
    from ...progress import OnProgress
    from ...tables import LatencyTable
    from ...tables.setting import PartialSetting


@click.command(
    epilog="Example: vitprof measure --device cpu --space vit --out lut.csv  |  "
    "vitprof measure --model vit-tiny-32 --out small.csv"
)
@setting_options
@plan_options
@click.option("--out", default="lut.csv", show_default=True, type=click.Path(path_type=Path))
@bundle_option
@trust_option
@click.option("--budget", help="Stop adding sessions after this time, e.g. 60s or 2m.")
@click.option(
    "--sessions",
    default=3,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Fresh sessions a point.",
)
@click.option("--fresh", is_flag=True, help="Start over: write over the table at --out.")
@ray_option
@json_option
def measure(
    wanted: PartialSetting, planning: PlanWanted, out: Path, bundle_path: Path | None,
    trusted: bool, budget: str | None, sessions: int, fresh: bool, ray_address: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Measure a latency table of this machine, or with --ray of a fleet's machines.

    Interrupted (Ctrl-C, a crash, a full disk), the same command goes on where it stopped.
    """
    check_space(planning.space)
    if trusted and bundle_path is None:
        raise UserError("--trust is said of a bundle; give --bundle FILE with it, or take it away.")
    from ...profiler.fleet.fleet import FleetLostError
    from ...profiler.refine import measure_refined
    from ...profiler.sampling.protocol import Protocol

    protocol = Protocol(sessions=sessions, model_sessions=max(sessions, 5), seed=planning.seed)
    allowed_s = seconds_of(budget) if budget is not None else None
    planned = planning.planned() if bundle_path is None else None
    started = time.monotonic()
    start_over = fresh

    def measure_plan(plan: Plan, on_progress: OnProgress) -> LatencyTable:
        nonlocal start_over
        left = None if allowed_s is None else allowed_s - (time.monotonic() - started)
        table = measure_into(
            plan,
            protocol=protocol,
            fresh=start_over,
            budget_s=left,
            on_progress=on_progress,
        )
        start_over = False  # what a refinement adds goes into the same table
        return table

    try:
        with (
            _place(wanted, planned, bundle_path, trusted, ray_address, out) as (plan, measure_into),
            progress_bar(enabled=not as_json) as on_progress,
        ):
            if planned is not None and planned.refine_to is not None:
                table = measure_refined(
                    planned.space,
                    planned.refine_to,
                    lambda space, probes: measure_plan(planned.plan(space, probes), on_progress),
                    planning.seed,
                    lambda worst: note(
                        f"refining: interpolation is {worst.error:+.1%} off at {worst.gap.probe}; "
                        f"{worst.gap.op} gets the level {worst.gap.axis}={worst.gap.level}"
                    ),
                )
            else:
                table = measure_plan(plan, on_progress)
    except KeyboardInterrupt:
        note(f"stopped; what is done is kept in {out}, and the same command goes on from there.")
        raise
    except FleetLostError as lost:
        return report_lost(lost, out, as_json)
    return _report(table, out, as_json)


def _report(table: LatencyTable, out: Path, as_json: bool) -> int:
    """Print what was measured; return the exit code."""
    from ...tables.calibration.calibration import header_of_calibrations

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
                "calibration": header_of_calibrations(table.calibrations),
                "drift": table.other["drift"],
                "session_sd": table.other["session_sd"],
                "seconds": table.other["seconds"],
            }
        )
    else:
        _print_summary(table, out)
    note_doubtful(failed, unstable)
    return 1 if failed or unstable else 0


@contextmanager
def _place(
    wanted: PartialSetting,
    planned: Planned | None,
    bundle_path: Path | None,
    trusted: bool,
    ray_address: str | None,
    out: Path,
) -> Iterator[tuple[Plan, Callable[..., LatencyTable]]]:
    """Yield the plan, a bundle's or the one here, and what measures it: see `table_measurer`."""
    if planned is None:
        assert bundle_path is not None, "without a bundle there is a plan"
        with bundle_measurer(bundle_path, wanted, out, trusted) as (plan, measure_into):
            yield plan, measure_into
    else:
        with table_measurer(wanted, ray_address, out) as measure_into:
            yield planned.plan(), measure_into


def _print_summary(table: LatencyTable, out: Path) -> None:
    from ...tables.comparison.comparison import block_speeds

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
    from ...tables.calibration.calibrate import in_words

    for family, line in table.calibrations.items():
        click.echo(
            f"A whole {family} model: {in_words(line)}, fitted on {line.models} models; held out, "
            f"it errs by {line.held_out_mape:.1%}."
        )
