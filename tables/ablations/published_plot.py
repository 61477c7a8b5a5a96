"""The picture of a paper's ablation table: how fast each row is, here and in the paper."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..picture import titled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .published import PublishedVariants

_BAR = 0.4


def published_figure(found: PublishedVariants) -> Figure:
    """Return two bars a row: its speed over the first row's, here and on the paper's CPU."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.5 * len(found.lines) + 1.8), layout="constrained")
    axes = figure.subplots()
    known = [line for line in found.lines if not math.isnan(line.ms)]
    places = range(len(known))
    here = axes.barh(
        [place - _BAR / 2 for place in places],
        [found.speed(line) for line in known],
        _BAR,
        color="tab:blue",
        label=f"here ({found.setting.backend})",
    )
    there = axes.barh(
        [place + _BAR / 2 for place in places],
        [found.paper_speed(line) for line in known],
        _BAR,
        color="tab:orange",
        label=f"in the paper ({found.published.runtime})",
    )
    for bars in (here, there):
        axes.bar_label(bars, fmt="%.2f", label_type="center", fontsize=8, color="white")
    axes.set_yticks(list(places), [f"{line.row.number}  {line.row.words}" for line in known])
    axes.axvline(1, color="0.2", linewidth=0.8)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel(f"times as fast as {found.published.model}")
    axes.legend(loc="lower right")
    axes.grid(True, axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return titled(figure, found.setting)
