"""What `vitprof validate` prints, and its CSV of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...shown import csv_frame
from ..output import print_table, say

if TYPE_CHECKING:
    from ...profiler.validation.result import ValidationResult


WHY = {
    "rounds": "all rounds are done",
    "settled": "another round is not expected to change it",
    "time": "the time is over",
    "interrupted": "interrupted",
}


def print_validation(result: ValidationResult) -> None:
    """Print the table's errors beside those of its rivals and of a second measurement."""
    from ...profiler.validation.plot import NAMES

    lines = [("this table", result.errors, "")]
    lines += [
        (NAMES[name], rival.errors, f"{rival.trained_on}" if rival.trained_on else "-")
        for name, rival in result.rivals.items()
    ]
    lines += [
        ("noise floor: measured again", result.noise_floor, ""),
        ("this table, not corrected for drift", result.raw_errors, ""),
        ("noise floor, not corrected for drift", result.raw_noise_floor, ""),
    ]
    columns = (
        "prediction",
        "MAPE",
        "bias",
        "worst",
        "within 5 %",
        "within 10 %",
        "Kendall tau",
        "models measured",
    )
    print_table(
        columns,
        [
            (
                name,
                f"{e.mape:.2%}",
                f"{e.bias:+.2%}",
                f"{e.worst:.1%}",
                f"{e.within_5:.0%}",
                f"{e.within_10:.0%}",
                f"{e.kendall_tau:.3f}",
                count,
            )
            for name, e, count in lines
        ],
    )
    low, high = result.interval
    say(
        f"MAPE {result.errors.mape:.2%} (95 % interval {low:.2%} to {high:.2%}) after "
        f"{result.rounds} rounds in {result.seconds:.0f} s: {WHY[result.stopped]}."
    )
    say(
        f"{result.coverage:.0%} of the {len(result.models)} measurements lie in the table's 95 % "
        "interval."
    )
    if result.transferred_share:
        say(
            f"{result.transferred_share:.0%} of the predictions is transferred: predicted "
            "from the tables of other devices or settings, not measured."
        )


def write_models(result: ValidationResult, out: Path) -> None:
    """Write a line a model as CSV."""
    from ...atomic_write import write_atomically

    write_atomically(out, csv_frame(result.to_frame()).to_csv(index=False, float_format="%.6g"))
