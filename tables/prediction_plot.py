"""The picture of a prediction: where a model's latency goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .prediction import Prediction

MOST_BARS = 30


def prediction_figure(prediction: Prediction) -> Figure:
    """Return a bar a different block, the costliest first, coloured by op."""
    from matplotlib.figure import Figure

    parts = sorted(prediction.by_different_block(), key=lambda part: -part[0].ms * part[1])
    shown = parts[:MOST_BARS]
    colours = {op: f"C{n % 10}" for n, op in enumerate(prediction.by_op)}
    figure = Figure(figsize=(10, max(2.5, 0.3 * len(shown) + 1.5)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        [f"{count} x {part.block}" for part, count in shown],
        [count * part.ms for part, count in shown],
        color=[colours[part.block.op] for part, _ in shown],
    )
    shares = [f"{count * part.ms / prediction.ms:.1%}" for part, count in shown]
    axes.bar_label(bars, shares, padding=3, fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("ms")
    left = f", {len(parts) - len(shown)} more blocks" if len(parts) > len(shown) else ""
    figure.suptitle(f"{prediction.title}{left}", fontsize=10)
    return figure
