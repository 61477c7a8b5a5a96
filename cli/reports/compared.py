"""A comparison of models by MACs and by latency, for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..output import giga, milliseconds, print_table, say
from .speed import print_speed

if TYPE_CHECKING:
    from ...tables.comparison.compared import ComparedModel
    from ...tables.comparison.comparison import Comparison

MOST_INVERSIONS = 10


def print_comparison(comparison: Comparison) -> None:
    """Print a line a model, each op's slowest and fastest block, and what MACs get wrong."""
    measured = any(m.measured_ms > 0 for m in comparison.models)
    print_table(
        (
            "model",
            "GMACs",
            "M params",
            "predicted ms",
            "95 % interval",
            *(("measured ms", "error") if measured else ()),
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
                *(_measured(m) if measured else ()),
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
        rows.append((op, "least", f"{slow.gmacs_per_s:.3g}", str(slow.block)))
        rows.append(("", "most", f"{fast.gmacs_per_s:.3g}", str(fast.block)))
    print_table(("op", "", "GMAC/s", "at"), rows, text=("", "at"))
    if not math.isnan(comparison.kendall_tau):
        say(f"Kendall tau of MACs and latency: {comparison.kendall_tau:.3f} (1: the same order)")
    _print_inversions(comparison)


def _print_inversions(comparison: Comparison) -> None:
    """Print the pairs that MACs get wrong: those whose intervals are apart, else the others."""
    every = comparison.inversions
    if not every:
        return
    certain = [inversion for inversion in every if inversion.certain]
    say(
        f"{_pairs(len(every))} ordered wrongly by MACs, {len(certain)} of them for certain "
        "(95 % intervals apart)."
    )
    shown = (certain or every)[:MOST_INVERSIONS]
    for i in shown:
        say(
            f"  {'' if i.certain else 'perhaps: '}{i.slower} has {1 - i.macs_ratio:.1%} fewer MACs "
            f"than {i.faster} and takes {i.latency_ratio - 1:.1%} longer."
        )
    if len(every) > len(shown):
        say(f"  ... and {len(every) - len(shown)} more.")


def _pairs(count: int) -> str:
    return f"{count} pair of models is" if count == 1 else f"{count} pairs of models are"


def _measured(model: ComparedModel) -> tuple[str, str]:
    error = model.predicted_ms / model.measured_ms - 1 if model.measured_ms > 0 else None
    return milliseconds(model.measured_ms), "-" if error is None else f"{error:+.1%}"
