"""Two tables compared by the blocks that both hold, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import milliseconds, print_table, say
from .speed import print_speed

if TYPE_CHECKING:
    from ...tables.comparison.agreement import Agreement
    from ...tables.comparison.shared_blocks import SharedBlocks

MOST_LISTED = 5


def print_shared_blocks(shared: SharedBlocks) -> None:
    """Print a line an op, and the blocks that are farthest from the common scale."""
    a, b = shared.a, shared.b
    both = len(shared.blocks) - shared.interpolated
    sizes = ", ".join(f"{label} has {len(t.block_rows)}" for label, t in shared.tables.items())
    say(f"{a} and {b} have {both} blocks in common ({sizes}).")
    if shared.interpolated:
        say(f"Of {shared.interpolated} more one is measured, the other interpolated.")
    every = {**shared.by_op, "all": shared.agreement} if len(shared.by_op) > 1 else shared.by_op
    columns = ("op", "blocks", "Kendall tau", "Spearman rho", f"{b} / {a}", "95 %", "spread")
    print_table(columns, [(op, *_line(agreement)) for op, agreement in every.items()])
    print_speed(table.stated_at for table in shared.tables.values())
    say(f"The blocks farthest from {shared.agreement.scale:.3g} x:")
    lines = []
    for each in shared.parted[:MOST_LISTED]:
        how = "" if each.how == "measured" else " (interpolated)"
        lines.append(
            (
                f"{each.block}{how}",
                milliseconds(each.a_ms),
                milliseconds(each.b_ms),
                f"{each.ratio:.3g} x",
                f"{shared.off_scale(each):+.0%}",
            )
        )
    print_table(("block", f"{a} ms", f"{b} ms", f"{b} / {a}", "off the scale"), lines)


def _line(agreement: Agreement) -> tuple[str, ...]:
    few = agreement.count < 2
    return (
        str(agreement.count),
        _number(agreement.kendall_tau),
        _number(agreement.spearman_rho),
        f"{agreement.scale:.3g} x",
        "-" if few else f"{agreement.low:.3g} .. {agreement.high:.3g}",
        "-" if few else f"{agreement.spread:.3g} x",
    )


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"  # noqa: PLR0124
