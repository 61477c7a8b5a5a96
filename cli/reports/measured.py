"""What `vitprof measure` says of the table that it measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..output import milliseconds, note_failed, print_json, print_table, say
from .assessment import spread_in_words, unrest_in_words, verdict_in_words

if TYPE_CHECKING:
    from ...tables import LatencyTable
    from ...tables.assessment import Assessment


def print_measured(table: LatencyTable, out: Path, as_json: bool) -> None:
    """Print what was measured, how restless the machine was, and whether it is good enough."""
    from ...tables.calibration.calibration import header_of_calibrations

    drift, assessment = table.header.of_blocks.drift, table.assessment
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
                "session_sd": assessment.session_sd,
                "seconds": table.header.seconds,
                "assessment": assessment.report(),
            }
        )
    note_failed(failed)
    if not as_json:
        _print_summary(table, out, assessment)


def _print_summary(table: LatencyTable, out: Path, assessment: Assessment) -> None:
    from ...tables.calibration.calibrate import in_words
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
    say(
        f"{out}: {len(table.block_rows)} blocks and {len(table.model_rows)} whole models in "
        f"{seconds['total']:.0f} s "
        f"({seconds['warmup'] + seconds['timed']:.0f} s in warm-up and timed runs); "
        f"{spread_in_words(assessment)}."
    )
    if assessment.unrest is not None:
        say(unrest_in_words(assessment.unrest, seconds["total"]))
    for family, line in table.calibrations.items():
        say(f"A whole {family} model: {in_words(line)}, fitted on {line.models} models.")
    say(verdict_in_words(assessment, "the same command"))
