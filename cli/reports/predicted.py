"""A prediction for people: the latency, what it stands on, and where it goes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from ..output import milliseconds, note, print_table

if TYPE_CHECKING:
    from ...tables import Prediction

_OF_THE_CONSTANT = (
    "(constant) is what the line through whole models adds once a model; below 0 it takes off what "
    "blocks measured one by one count too often, such as starting a run."
)
# A machine whose speeds lie so near each other was quiet: there is one number.
QUIET = 1.01


def print_prediction(answer: Prediction) -> None:
    """Print the latency with its interval, and tables of ops and of blocks."""
    setting = answer.setting
    assert setting is not None, "a table's answer has its setting"
    click.echo(
        f"{answer.model} on {setting.device} ({setting.backend}, {setting.dtype}, batch "
        f"{setting.batch}, {setting.threads} thread{'s' if setting.threads > 1 else ''}): "
        f"{milliseconds(answer.ms)} ms  {_interval(answer)}"
    )
    speeds = _other_speeds(answer)
    if speeds:
        click.echo(f"  {speeds}.")
    click.echo(f"  {answer.how}.")
    rows = [(op, milliseconds(ms), f"{ms / answer.ms:.1%}") for op, ms in answer.by_op.items()]
    if answer.offset_ms:
        rows.append(
            ("(constant)", milliseconds(answer.offset_ms), f"{answer.offset_ms / answer.ms:.1%}")
        )
    print_table(("op", "ms", "share"), rows)
    print_table(
        ("block", "ms each", "ms", "share"),
        [
            (
                f"{count} x {part.block}" if count > 1 else str(part.block),
                milliseconds(part.ms),
                milliseconds(count * part.ms),
                f"{count * part.ms / answer.ms:.1%}",
            )
            for part, count in answer.by_different_block()
        ],
    )
    if answer.offset_ms:
        click.echo(_OF_THE_CONSTANT)
    if answer.unstable_share:
        click.echo(
            f"{answer.unstable_share:.0%} of it is read from unstable points (vitprof table info "
            "--unstable lists them)."
        )
    if answer.extrapolated:
        note(f"extrapolated on {', '.join(answer.extrapolated)}: a guess, not a measurement.")


def _other_speeds(answer: Prediction) -> str:
    """Return what the model takes at each speed; "" where that is the same, or not known."""
    known = {
        "undisturbed": (answer.undisturbed_ms, "undisturbed"),
        "typical": (answer.typical_ms, "as this machine typically was"),
        "p90": (answer.p90_ms, "at its 90th percentile"),
    }
    at = {speed: ms for speed, (ms, _) in known.items() if ms is not None}
    if answer.at is None or max(at.values(), default=0.0) <= QUIET * min(at.values(), default=1.0):
        return ""
    said = {speed: f"{milliseconds(ms)} ms {known[speed][1]}" for speed, ms in at.items()}
    own = said.pop(answer.at)
    return f"{own}; {', '.join(said.values())}" if said else own


def _interval(answer: Prediction) -> str:
    if math.isnan(answer.low_ms):
        return "(interval unknown)"
    return f"[{milliseconds(answer.low_ms)} .. {milliseconds(answer.high_ms)}]"
