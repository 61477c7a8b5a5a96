"""A comparison of models by MACs and by latency, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..output import giga, milliseconds, print_table
from .speed import print_speed

if TYPE_CHECKING:
    from ...tables.comparison.comparison import Comparison


def print_comparison(comparison: Comparison) -> None:
    """Print a line a model, each op's slowest and fastest block, and what MACs get wrong."""
    print_table(
        (
            "model",
            "GMACs",
            "M params",
            "predicted ms",
            "95 % interval",
            "measured ms",
            "error",
            "GMAC/s",
            "rank MACs",
            "rank ms",
        ),
        [
            (
                m.model,
                giga(m.macs),
                f"{m.params / 1e6:.3g}",
                milliseconds(m.predicted_ms),
                f"{milliseconds(m.low_ms)} .. {milliseconds(m.high_ms)}",
                milliseconds(m.measured_ms),
                f"{m.predicted_ms / m.measured_ms - 1:+.1%}" if m.measured_ms > 0 else "-",
                f"{m.gmacs_per_s:.3g}",
                str(m.rank_macs),
                str(m.rank_latency),
            )
            for m in comparison.models
        ],
    )
    speeds = comparison.speeds
    print_speed([comparison.at])
    rows = []
    for op in dict.fromkeys(speed.block.op for speed in speeds):
        of_op = sorted((s for s in speeds if s.block.op == op), key=lambda s: s.gmacs_per_s)
        slow, fast = of_op[0], of_op[-1]
        rows.append(
            (
                op,
                f"{slow.gmacs_per_s:.3g}",
                f"{fast.gmacs_per_s:.3g}",
                str(slow.block),
                str(fast.block),
            )
        )
    print_table(("op", "least GMAC/s", "most GMAC/s", "least: at", "most: at"), rows)
    if len(comparison.models) > 1:
        click.echo(f"Kendall tau of MACs and latency: {comparison.kendall_tau:.3f}")
    for i in comparison.inversions[:10]:
        click.echo(
            f"MACs get it wrong: {i.slower} has {1 - i.macs_ratio:.0%} fewer MACs than {i.faster} "
            f"and takes {i.latency_ratio - 1:.0%} longer."
        )
    if len(comparison.inversions) > 10:
        click.echo(f"... and {len(comparison.inversions) - 10} more such pairs.")
