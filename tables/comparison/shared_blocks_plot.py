"""The picture of two tables by their shared blocks: one over the other, and the common scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..picture import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .shared_blocks import SharedBlocks

# matplotlib's markers for ops; filled ones were measured on both tables.
_MARKERS = "osD^vP*X<>"
# Ratios that are marked on an axis, on both sides of 1, where they span no more than a decade.
_RATIOS = (1.05, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0)


def shared_blocks_figure(shared: SharedBlocks) -> Figure:
    """Return b's latencies over a's by op, and how far each is off the common scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    a = np.array([each.a_ms for each in shared.blocks])
    b = np.array([each.b_ms for each in shared.blocks])
    off = np.array([1 + shared.off_scale(each) for each in shared.blocks])
    measured = np.array([each.how == "measured" for each in shared.blocks])
    ops = np.array([each.block.op for each in shared.blocks])
    size = 26 if len(a) < 200 else 9
    for n, (op, agreement) in enumerate(shared.by_op.items()):
        look = {"color": f"C{n % 10}", "marker": _MARKERS[n % len(_MARKERS)], "s": size}
        label: str | None = f"{op} ({agreement.count}): {agreement.scale:.3g} x"
        for filled in (True, False):
            of_op = (ops == op) & (measured == filled)
            if not of_op.any():
                continue
            face = {} if filled else {"facecolors": "none", "edgecolors": look["color"]}
            style = {"marker": look["marker"], "s": look["s"], "linewidths": 0.8, **face}
            if filled:
                style["color"] = look["color"]
            left.scatter(a[of_op], b[of_op], alpha=0.7, label=label, **style)
            label = None
            right.scatter(a[of_op], off[of_op], alpha=0.7, **style)
    if shared.interpolated:
        label = f"hollow: interpolated on one ({shared.interpolated})"
        left.scatter([], [], marker="o", facecolors="none", edgecolors="0.3", label=label)
    ends = np.array([a.min(), a.max()])
    scale = shared.agreement.scale
    left.plot(ends, scale * ends, "--", color="0.3", linewidth=1, label=f"all: {scale:.3g} x")
    logarithmic(left, a.tolist(), b.tolist())
    left.set_xlabel(f"ms on {shared.a}")
    left.set_ylabel(f"ms on {shared.b}")
    left.set_title(
        f"{len(a)} blocks: Kendall tau {shared.agreement.kendall_tau:.3f}, "
        f"Spearman rho {shared.agreement.spearman_rho:.3f}"
    )
    left.legend(fontsize=9)
    right.axhline(1, linestyle="--", color="0.3", linewidth=1)
    logarithmic(right, a.tolist(), off.tolist())
    _round_ratios(right, off)
    right.set_xlabel(f"ms on {shared.a}")
    right.set_ylabel("times the common scale")
    right.set_title("What does not carry over: above 1, slower than the scale says")
    return figure


def _round_ratios(axes: Axes, ratios: np.ndarray) -> None:
    """Mark round ratios on the vertical axis, as many as there is room for."""
    from matplotlib.ticker import FixedLocator, NullLocator

    farthest = max(float(ratios.max()), 1 / float(ratios.min()))
    if farthest > _RATIOS[-1]:
        return
    marked = [one for one in _RATIOS if one - 1 > (farthest - 1) / 8]
    axes.yaxis.set_major_locator(FixedLocator([1.0, *marked, *(1 / one for one in marked)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(axes.get_yticks(), [f"{tick:.3g}" for tick in axes.get_yticks()])
    reach = max(farthest, 1.05) ** 1.08
    axes.set_ylim(1 / reach, reach)
