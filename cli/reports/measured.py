"""What `vitprof measure` says of the table that it measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output import milliseconds, note_doubtful, print_json, print_table

if TYPE_CHECKING:
    from ...tables import LatencyTable


def print_measured(table: LatencyTable, out: Path, as_json: bool) -> int:
    """Print what was measured; return the exit code."""
    from ...tables.calibration.calibration import header_of_calibrations

    drift = table.header.of_blocks.drift
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
                "drift": drift.as_dict() if drift else None,
                "session_sd": table.header.session_sd,
                "seconds": table.header.seconds,
            }
        )
    else:
        _print_summary(table, out)
    note_doubtful(failed, unstable)
    return 1 if failed or unstable else 0


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
    seconds = table.header.seconds or {}
    click.echo(
        f"{out}: {len(table.block_rows)} blocks and {len(table.model_rows)} whole models in "
        f"{seconds['total']:.0f} s "
        f"({seconds['warmup'] + seconds['timed']:.0f} s in warm-up and timed runs); two sessions "
        f"of one point differ by {100 * (table.header.session_sd or 0):.1f} % (standard deviation)."
    )
    drift = table.header.of_blocks.drift
    if drift:
        click.echo(
            f"The machine's speed wandered by {drift.spread:.1%} meanwhile (a reference block, "
            "10th to 90th percentile); latencies are corrected for it, raw medians are in "
            "session_ms."
        )
    from ...tables.calibration.calibrate import in_words

    for family, line in table.calibrations.items():
        click.echo(
            f"A whole {family} model: {in_words(line)}, fitted on {line.models} models; held out, "
            f"it errs by {line.held_out_mape:.1%}."
        )
