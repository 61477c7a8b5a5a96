"""A gate's checks, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...notes import warn
from ...tables.sharing.plain_text import printable
from ..output import print_table, say

if TYPE_CHECKING:
    from ...verbs.gates.check import Check
    from ...verbs.gates.result import GateResult

LONGEST = 48


def print_gate(found: GateResult) -> None:
    """Print a line a check, what was measured, what is doubtful, and the verdict."""
    print_table(
        ("model", "of", "against", "found", "95 % interval", "limit", "verdict"),
        [
            (
                printable(check.model, LONGEST),
                check.kind,
                printable(check.against, LONGEST),
                check.found,
                check.interval or "exact",
                check.at_most,
                check.verdict,
            )
            for check in found.checks
        ],
    )
    for check in found.checks:
        if check.details.get("sessions"):
            say(_measured(check))
        if check.remedy_needed:
            say(f"{check.name}: {check.verdict}: {check.remedy}.")
        for warning in check.warnings:
            warn(f"warning: {check.model}: {warning}.")
    say(f"{found.title}.")


def _measured(check: Check) -> str:
    details = check.details
    disturbed = details["sessions_disturbed"]
    aside = f", {disturbed} more disturbed and left out" if disturbed else ""
    return (
        f"{check.name}: {details['base_ms']:.4g} ms before, {details['head_ms']:.4g} ms now, in "
        f"{details['sessions']} pairs of sessions{aside}; {check.seconds:.0f} s."
    )
