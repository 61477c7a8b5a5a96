"""A limit in a picture: a line where it is near, an arrow where it is far from all points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A limit farther from the points than this times their spread would leave them no room.
FAR = 0.6


def draw_limit(axes: Axes, most: float, values: Sequence[float], unit: str = "ms") -> None:
    """Mark the limit `most` on the x axis, where the points stand at `values`."""
    words = f"limit {most:.4g} {unit}"
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    if low - FAR * spread <= most <= high + FAR * spread:
        axes.axvline(most, color="tab:red", linestyle="--", linewidth=1, label=words)
        return
    right = most > high
    axes.annotate(
        f"{words} →" if right else f"← {words}",
        (0.99 if right else 0.01, 0.02),
        xycoords="axes fraction",
        ha="right" if right else "left",
        color="tab:red",
        fontsize=8,
    )
