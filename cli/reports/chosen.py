"""What `vitprof choose` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import milliseconds, note, print_table, say

if TYPE_CHECKING:
    from ...verbs.chosen import ChoiceResult

MEBI = 2**20
MOST_SHOWN = 12


def print_choice(result: ChoiceResult) -> None:
    """Print the best of what was measured, and what was chosen."""
    rows = result.measured
    print_table(
        (
            "variant",
            "score",
            "top-1",
            "top-3",
            "ms",
            "MiB process",
            "CPU %",
            "M params",
            "MiB file",
        ),
        [
            (
                row["name"],
                "over a limit" if row["score"] is None else f"{row['score']:.2f}",
                _share(row["top1"]),
                _share(row["top3"]),
                milliseconds(row["latency_ms"]),
                f"{row['peak_bytes'] / MEBI:.0f}",
                f"{row['cpu_percent']:.0f}",
                f"{row['params'] / 1e6:.3g}",
                f"{row['file_bytes'] / MEBI:.2f}",
            )
            for row in rows[:MOST_SHOWN]
        ],
    )
    if len(rows) > MOST_SHOWN:
        note(f"{MOST_SHOWN} of {len(rows)} measured; variants.csv has all.")
    disturbed = [row["name"] for row in rows if row["disturbed"]]
    if disturbed:
        names = "; ".join(disturbed[:3]) + (" and others" if len(disturbed) > 3 else "")
        note(
            f"unstable: {len(disturbed)} of {len(rows)} ({names}): other programs ran "
            "whenever they were measured."
        )
    say(f"{result.title}.")
    tested = result.tested
    if tested is not None:
        say(
            f"on {tested.images} test images that were not used to choose it: top-1 "
            f"{_share(tested.top(1))}, top-3 {_share(tested.top(3))}."
        )
    note(f"written: {result.file}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
