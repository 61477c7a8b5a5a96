"""What `vitprof choose --runtimes` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..output import milliseconds, note, print_table, say

if TYPE_CHECKING:
    from ...verbs.deployments.choice import DeploymentChoice

MEBI = 2**20
MOST_SHOWN = 12


def print_deployment(result: DeploymentChoice) -> None:
    """Print the front, the winner, the next two, and what relaxed limits would buy."""
    front = result.front
    print_table(
        ("on the Pareto front", "", "ms", f"top-{result.top}", "MiB process", "MiB file"),
        [_cells(row) for row in front[-MOST_SHOWN:]],
    )
    if len(front) > MOST_SHOWN:
        note(f"the last {MOST_SHOWN} of {len(front)} on the Pareto front; deployments.csv has all.")
    say(f"{result.title}.")
    winner = result.winner
    off = 100 * (winner.latency_ms / result.predicted_ms - 1)
    say(
        f"verified side by side: {milliseconds(winner.latency_ms)} ms "
        f"({milliseconds(winner.low_ms)} to {milliseconds(winner.high_ms)}), {off:+.1f} % from "
        f"what all others predict ({milliseconds(result.predicted_ms)} ms)."
    )
    if winner.accuracy is not None:
        say(
            f"on {winner.images} test images that were not used to choose it: top-{result.top} "
            f"{100 * winner.accuracy:.2f} %."
        )
    for name, why in result.others:
        say(f"not {name}: {why}.")
    for relaxed in result.relaxed:
        say(f"with {relaxed.sentence()}.")
    if result.limits.latency_ms is not None and not result.relaxed:
        say("limits twice as large would not give a better choice.")
    for reason in dict.fromkeys(row["reason"] for row in result.deployments if row["reason"]):
        count = sum(row["reason"] == reason for row in result.deployments)
        note(f"{count} out: {reason}.")
    note(f"written: {result.file}")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        row["status"],
        milliseconds(row["latency_ms"]),
        f"{100 * row['accuracy']:.2f} %",
        f"{row['memory_bytes'] / MEBI:.0f}",
        f"{row['file_bytes'] / MEBI:.2f}",
    )
