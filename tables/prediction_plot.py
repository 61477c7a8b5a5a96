"""The picture of a prediction: where a model's latency goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..models import Block

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 30


def prediction_figure(blocks: Sequence[tuple[Block, int, float]], ms: float, title: str) -> Figure:
    """Return a bar a different block, the costliest first, coloured by op.

    blocks: each, how many, and the milliseconds of all; ms: the whole model's.
    """
    from matplotlib.figure import Figure

    parts = sorted(blocks, key=lambda part: -part[2])
    shown = parts[:MOST_BARS]
    colours = {
        op: f"C{n % 10}" for n, op in enumerate(dict.fromkeys(block.op for block, _, _ in blocks))
    }
    figure = Figure(figsize=(10, max(2.5, 0.3 * len(shown) + 1.5)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        [f"{count} x {block}" for block, count, _ in shown],
        [all_ms for _, _, all_ms in shown],
        color=[colours[block.op] for block, _, _ in shown],
    )
    shares = [f"{all_ms / ms:.1%}" for _, _, all_ms in shown]
    axes.bar_label(bars, shares, padding=3, fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("ms")
    left = f", {len(parts) - len(shown)} more blocks" if len(parts) > len(shown) else ""
    figure.suptitle(f"{title}{left}", fontsize=10)
    return figure
