"""The picture of `vitprof variants`: what each choice costs, and all combinations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..picture import titled
from ..setting import Setting
from .ranked import Ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def variants_figure(
    base: Ranked, single: Sequence[Ranked], ranked: Sequence[Ranked], setting: Setting
) -> Figure:
    """Return the ms that each choice adds to the model, and every combination over its MACs."""
    from matplotlib.figure import Figure

    height = max(4.5, 0.28 * len(single) + 1.5)
    figure = Figure(figsize=(13, height), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_choices(left, base, single)
    _draw_combinations(right, base, ranked)
    return titled(figure, setting)


def _draw_choices(axes: Axes, base: Ranked, single: Sequence[Ranked]) -> None:
    """A bar a choice: less time to the left in blue, more to the right in orange.

    These two are distinguishable for everybody.
    """
    more = [each.ms - base.ms for each in single]
    bars = axes.barh(
        [each.words for each in single],
        more,
        color=["tab:blue" if ms < 0 else "tab:orange" for ms in more],
    )
    axes.bar_label(
        bars, [f"{ms / base.ms:+.1%}" for ms in more], padding=3, fontsize=8, color="0.3"
    )
    axes.axvline(0, color="0.2", linewidth=0.8)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_xlabel(f"ms more than {base.spec.name} ({base.ms:.3g} ms)")
    axes.set_title("What one other choice costs")
    axes.grid(True, axis="x", alpha=0.3)


def _draw_combinations(axes: Axes, base: Ranked, ranked: Sequence[Ranked]) -> None:
    axes.scatter(
        [each.spec.macs / 1e9 for each in ranked],
        [each.ms for each in ranked],
        s=6,
        alpha=0.4,
        color="tab:blue",
        label=f"{len(ranked)} combinations",
    )
    axes.scatter(
        [base.spec.macs / 1e9],
        [base.ms],
        marker="*",
        s=160,
        color="black",
        label=base.spec.name,
        zorder=3,
    )
    axes.set_xlabel("GMACs")
    axes.set_ylabel("predicted ms")
    axes.set_title("Combinations of choices")
    axes.legend(loc="upper left")
    axes.grid(True, alpha=0.3)
