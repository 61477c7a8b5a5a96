"""The picture of models pruned to several targets: a figure of theirs over their latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of a figure's name, what stands at the axis.
WORDS = {"top1": "top-1, %", "miou": "mIoU, %", "agreement_miou": "same mIoU, %", "f1": "F1, %"}


def draw_over_latency(
    names: Sequence[str], latencies_ms: Sequence[float], shares: Sequence[float], figure: str
) -> Figure:
    """Draw one point a model, the unpruned one first; shares: 0 to 1, of the figure so named."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(7, 4.5), layout="constrained")
    axes = made.subplots()
    percent = [100 * share for share in shares]
    axes.plot(latencies_ms, percent, color="0.8", zorder=1)
    axes.scatter(latencies_ms[1:], percent[1:], color="tab:blue", zorder=2)
    axes.scatter(latencies_ms[:1], percent[:1], color="0.4", zorder=2)
    for name, ms, value in zip(names, latencies_ms, percent, strict=True):
        axes.annotate(name, (ms, value), xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.margins(0.15)
    axes.set_xlabel("latency, ms")
    axes.set_ylabel(WORDS.get(figure, figure))
    axes.grid(True, alpha=0.3)
    return made
