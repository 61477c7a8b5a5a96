"""The picture of `vitprof compare` with several tables: changed places, and the common scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...models import Spec
from ..picture import logarithmic
from .pair_of_tables import OnTable, PairOfTables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMES = 20


def across_figure(
    models: Sequence[Spec], on: Sequence[OnTable], pairs: Sequence[PairOfTables]
) -> Figure:
    """Return ranks from table to table, and each table's latencies over the first one's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_ranks(left, models, on, pairs)
    _draw_scales(right, on, pairs)
    return figure


def _draw_ranks(
    axes: Axes, models: Sequence[Spec], on: Sequence[OnTable], pairs: Sequence[PairOfTables]
) -> None:
    """A line a model from its rank by MACs to its rank on each table; certain swaps in red."""
    from matplotlib.ticker import MaxNLocator

    swapped = {
        name
        for pair in pairs
        for swap in pair.swaps
        if swap.certain
        for name in (swap.first, swap.second)
    }
    columns = ["MACs", *(each.label for each in on)]
    ranks = [list(range(1, len(models) + 1)), *(each.rank for each in on)]
    for i, spec in enumerate(models):
        heights = [column[i] for column in ranks]
        red = spec.name in swapped
        axes.plot(
            range(len(columns)),
            heights,
            marker="o",
            markersize=4,
            linewidth=1.8 if red else 1,
            color="tab:red" if red else "0.6",
            zorder=2 if red else 1,
        )
        if len(models) <= MOST_NAMES:
            axes.annotate(
                spec.name,
                (len(columns) - 1, heights[-1]),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axes.set_xticks(range(len(columns)), columns)
    axes.margins(x=0.18 if len(models) <= MOST_NAMES else 0.05)
    axes.invert_yaxis()
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("rank, 1 = fastest (fewest MACs)")
    certain = sum(swap.certain for pair in pairs for swap in pair.swaps) // 2
    axes.set_title(f"Ranks: {certain} pairs change places for certain (red)")
    axes.grid(True, axis="x", alpha=0.3)


def _draw_scales(axes: Axes, on: Sequence[OnTable], pairs: Sequence[PairOfTables]) -> None:
    """Latency on each further table over that on the first, and the lines of one scale."""
    first = on[0]
    everything: list[float] = []
    for n, other in enumerate(on[1:]):
        pair = next(p for p in pairs if (p.a, p.b) == (first.label, other.label))
        colour = f"C{n}"
        ends = np.array([first.ms.min(), first.ms.max()])
        axes.plot(ends, pair.scale * ends, "--", color=colour, linewidth=1)
        bars = [np.nan_to_num(other.ms - other.low_ms), np.nan_to_num(other.high_ms - other.ms)]
        axes.errorbar(
            first.ms,
            other.ms,
            yerr=bars,
            fmt="o",
            markersize=4,
            color=colour,
            capsize=2,
            label=f"{other.label}: {pair.scale:.3g} x {first.label}, tau {pair.kendall_tau:.3f}",
        )
        everything += other.ms.tolist()
    logarithmic(axes, first.ms.tolist(), everything)
    axes.set_xlabel(f"ms on {first.label}")
    axes.set_ylabel("ms on the other")
    axes.set_title("What carries over: one scale (dashed)")
    axes.legend(fontsize=9)
