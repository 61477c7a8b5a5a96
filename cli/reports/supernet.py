"""What `vitprof supernet` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import print_table, say

if TYPE_CHECKING:
    from ...verbs.supernet import SupernetResult


def print_supernet(found: SupernetResult) -> None:
    """Print a row a subnet."""
    say(found.title)
    rows = [
        (s.which, f"{s.spec.params:,}", f"{s.spec.macs / 1e6:.2f}", f"{s.found.top(1):.2%}")
        for s in found.subnets
    ]
    print_table(("subnet", "parameters", "MMACs", "top-1"), rows)
    shared = found.sharing
    if shared is not None:
        say(
            f"{shared.candidates} candidate blocks share {shared.stored:,} weights; kept apart "
            f"they would have {shared.apart_over_stored:.1f} times as many (eq. 1: "
            f"{shared.efficiency:.3g})."
        )
    say(f"written: {found.path}")
