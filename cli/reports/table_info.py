"""What a table holds, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..output import note, note_doubtful, print_table

if TYPE_CHECKING:
    from ...tables import LatencyTable


def print_table_info(table: LatencyTable) -> None:
    """Print setting, machine, noise, ops with their ranges, and the doubtful points."""
    from ...tables.overview import op_lines, verdicts

    setting = table.setting
    machine = table.environment.get("machine", {})
    click.echo(
        f"{table.source}: {len(table.rows)} rows of device {setting.device} "
        f"({machine.get('cpu') or '-'}), {setting.backend} {setting.provider}, {setting.dtype}, "
        f"batch {setting.batch}, threads {setting.threads}"
    )
    counts = verdicts(table).items()
    click.echo("verdicts: " + ", ".join(f"{count} {name}" for name, count in counts))
    if table.header.session_sd is not None:
        click.echo(
            f"two sessions of one point differ by {100 * table.header.session_sd:.1f} % "
            "(standard deviation)"
        )
    if table.unfinished:
        note("warning: unfinished: its measuring was interrupted; the same command goes on.")
    print_table(
        ("op", "points", "axes"),
        [
            (
                line.op,
                str(line.points),
                "; ".join(f"{a} {','.join(map(str, v))}" for a, v in line.axes.items()),
            )
            for line in op_lines(table)
        ],
    )
    note_doubtful(
        [row for row in table.rows if row.verdict == "failed"],
        [row for row in table.rows if row.verdict == "unstable"],
    )
