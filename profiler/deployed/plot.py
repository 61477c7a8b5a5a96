"""The picture of a few deployed models: accuracy, latency, size and memory, one bar each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...tables import Setting
from ...tables.picture import save_picture
from .facts import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEBI = 2**20


def plot_facts(facts: Sequence[Facts], setting: Setting, path: str | Path) -> None:
    """Draw the facts into a file, whose suffix chooses the format (png, svg, pdf).

    Raises UserError when it cannot be written.
    """
    save_picture(facts_figure(facts), setting, path)


def facts_figure(facts: Sequence[Facts]) -> Figure:
    """Draw the facts in rows, a panel a figure; the first model, compared with, is darker."""
    from matplotlib.figure import Figure

    height = 1.3 + 0.42 * len(facts)
    figure = Figure(figsize=(14, height), layout="constrained")
    accuracy, latency, size, memory = figure.subplots(1, 4, sharey=True)
    _accuracies(accuracy, facts)
    bars = _bars(latency, [one.latency_ms for one in facts], f"ms for a batch of {facts[0].batch}")
    for bar, one in zip(bars, facts, strict=True):
        middle = bar.get_y() + bar.get_height() / 2
        latency.plot([one.low_ms, one.high_ms], [middle, middle], color="black", linewidth=1)
    _bars(size, [one.file_bytes / MEBI for one in facts], "MiB on disk")
    _bars(memory, [one.model_bytes / MEBI for one in facts], "MiB of memory, without the runtime")
    accuracy.set_yticks(range(len(facts)), [one.name for one in facts])
    accuracy.invert_yaxis()
    return figure


def _accuracies(axes: Axes, facts: Sequence[Facts]) -> None:
    """Draw the error, of which a small difference shows: its bars begin at 0 as all others."""
    third = all(one.top3 is not None for one in facts)
    shown = [one.top3 if third else one.top1 for one in facts]
    errors = [0.0 if top is None else 100 * (1 - top) for top in shown]
    _bars(axes, errors, f"top-{3 if third else 1} error, %")
    if all(top is None for top in shown):
        axes.set_title("not tested", fontsize=9)


def _bars(axes: Axes, values: Sequence[float], title: str) -> Any:
    colours = ["0.55", *["tab:blue"] * (len(values) - 1)]
    bars = axes.barh(range(len(values)), values, color=colours, height=0.65)
    first = values[0] or 1.0
    labels = [
        f"{value:.3g}" if not place else f"{value:.3g} ({value / first:.2f}x)"
        for place, value in enumerate(values)
    ]
    axes.bar_label(bars, labels, fontsize=8, padding=3)
    axes.set_title(title, fontsize=9)
    axes.margins(x=0.35)
    axes.spines[["top", "right"]].set_visible(False)
    return bars
