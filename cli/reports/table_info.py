"""What a table holds, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...tables.told_by_runtime import ToldByRuntime
from ..output import milliseconds, note, note_failed, print_table, say
from .assessment import spread_in_words, unrest_in_words, verdict_in_words

if TYPE_CHECKING:
    from ...tables import LatencyTable


# More values of an axis are shown as their range.
MOST_LEVELS = 12


def print_table_info(table: LatencyTable) -> None:
    """Print setting, machine, noise, ops with their ranges, failed points, and the verdict."""
    from ...tables.overview import op_lines, verdicts

    setting = table.setting
    machine = table.environment.get("machine", {})
    say(
        f"{table.source}: {len(table.rows)} rows of device {setting.device} "
        f"({machine.get('cpu') or '-'}), {setting.backend} {setting.provider}, {setting.dtype}, "
        f"batch {setting.batch}, threads {setting.threads}"
    )
    counts = verdicts(table).items()
    say("verdicts: " + ", ".join(f"{count} {name}" for name, count in counts))
    assessment = table.assessment
    if not table.header.imported:
        say(f"{spread_in_words(assessment)}")
    if assessment.unrest is not None:
        total = (table.header.seconds or {}).get("total")
        say(unrest_in_words(assessment.unrest, total))
    for sentence in ToldByRuntime.of(table.rows, setting).sentences():
        say(sentence.replace("`threads`", "--threads"))
    if table.unfinished:
        note("warning: unfinished: its measuring was interrupted; the same command continues.")
    print_table(
        ("op", "points", "axes"),
        [
            (
                line.op,
                str(line.points),
                "; ".join(f"{axis} {_levels(values)}" for axis, values in line.axes.items()),
            )
            for line in op_lines(table)
        ],
    )
    note_failed([row for row in table.rows if row.verdict == "failed"])
    if not table.unfinished:
        say(verdict_in_words(assessment, "measure it again"))


def _levels(values: Sequence[int]) -> str:
    """Return an axis's values, or where they are many their range and how many they are."""
    if len(values) <= MOST_LEVELS:
        return ",".join(map(str, values))
    return f"{values[0]}..{values[-1]} ({len(values)} values)"


def print_unstable(table: LatencyTable) -> None:
    """Print every unstable point, the widest interval first, and the causes."""
    from ...tables.overview import unstable_points

    points = unstable_points(table)
    print_table(
        ("unstable point", "ms", "95 % interval", "sessions"),
        [
            (
                point["point"],
                milliseconds(point["latency_ms"]),
                f"{milliseconds(point['low_ms'])} .. {milliseconds(point['high_ms'])}",
                str(point["sessions"]),
            )
            for point in points
        ],
    )
    for point in points:
        say(f"{point['point']}: {point['cause']}")
    say(f"{len(points)} of {len(table.rows)} points are unstable.")
