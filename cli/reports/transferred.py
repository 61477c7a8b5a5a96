"""What `vitprof transfer` says of the table that it made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..output import milliseconds, print_table, say
from .assessment import verdict_in_words

if TYPE_CHECKING:
    from ...verbs.transferred import Transfer
    from ...verbs.transferred_models import TransferredModels


def print_transfer(found: Transfer) -> None:
    """Print each probe as measured and as predicted without it, the shares, the verdict."""
    print_table(
        ("probe", "measured ms", "predicted without it", "95 % interval", "error"),
        [
            (
                probe.name,
                milliseconds(probe.measured_ms),
                milliseconds(probe.predicted_ms),
                f"{milliseconds(probe.low_ms)} .. {milliseconds(probe.high_ms)}",
                f"{probe.error:+.1%}",
            )
            for probe in found.probes
        ],
    )
    say(
        f"Predicted without themselves, probes err by {found.held_out_error:.1%}, and "
        f"{found.held_out_covered:.0%} lie in their 95 % interval."
    )
    if len(found.weights) > 1:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in found.weights.items())
        say(f"The sources' shares: {shares}.")
    measured = len(found.table.rows) - found.transferred
    say(
        f"{found.table.source}: {len(found.table.rows)} rows, {measured} measured and "
        f"{found.transferred} transferred."
    )
    say(verdict_in_words(found.table.assessment, "measure it (vitprof measure)"))


def print_models(found: TransferredModels, out: Path | None) -> None:
    """Print every model on the phone with its interval, or which models to time there."""
    if found.models:
        print_table(
            ("model", "ms", "95 % interval", ""),
            [
                (
                    one.model,
                    milliseconds(one.ms),
                    f"{milliseconds(one.low_ms)} .. {milliseconds(one.high_ms)}",
                    "transferred" if one.transferred else "timed",
                )
                for one in found.models
            ],
        )
        say(
            f"{found.title}; {found.held_out_covered:.0%} of them lie in their 95 % interval. "
            f"Transferred ones are expected to err by {found.expected_error:.1%}."
        )
    if found.to_time:
        say(f"Time these next on {found.phone}: {', '.join(found.to_time)}.")
    if found.blocks is not None:
        print_transfer(found.blocks)
    elif out is not None and found.models:
        say(f"{out}: {len(found.models)} models.")
