"""The picture of a few deployed models: accuracy, latency, size and memory, one bar each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    _bars(
        latency,
        [one.latency_ms for one in facts],
        f"ms for a batch of {facts[0].batch}",
        [one.high_ms for one in facts],
    )
    for place, one in enumerate(facts):
        latency.plot([one.low_ms, one.high_ms], [place, place], color="black", linewidth=1)
    _bars(size, [one.file_bytes / MEBI for one in facts], "MiB on disk")
    _bars(memory, [one.model_bytes / MEBI for one in facts], "MiB of memory, without the runtime")
    accuracy.set_yticks(range(len(facts)), [one.name for one in facts])
    accuracy.invert_yaxis()
    return figure


def _accuracies(axes: Axes, facts: Sequence[Facts]) -> None:
    """Draw the error, of which a small difference shows: its bars begin at 0 as all others.

    Of models that were not tested: how far their outputs are from fp32's.
    """
    third = all(one.top3 is not None for one in facts)
    tops = [one.top3 if third else one.top1 for one in facts]
    if any(top is not None for top in tops):
        errors = [0.0 if top is None else 100 * (1 - top) for top in tops]
        _bars(axes, errors, f"top-{3 if third else 1} error, %")
    elif any(one.output_error is not None for one in facts):
        errors = [100 * (one.output_error or 0.0) for one in facts]
        _bars(axes, errors, "outputs' distance from fp32's, %")
    else:
        axes.set_title("not tested", fontsize=9)
        axes.set_xticks([])


def _bars(
    axes: Axes, values: Sequence[float], title: str, label_at: Sequence[float] | None = None
) -> None:
    """Draw a bar a value, and its number at its end, or behind `label_at`.

    The others' numbers have their ratio to the first beside them, unless that is 0.
    """
    colours = ["0.55", *["tab:blue"] * (len(values) - 1)]
    axes.barh(range(len(values)), values, color=colours, height=0.65)
    for place, (value, end) in enumerate(zip(values, label_at or values, strict=True)):
        ratio = f" ({value / values[0]:.2f}x)" if place and values[0] else ""
        axes.annotate(
            f"{value:.3g}{ratio}",
            (end, place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_title(title, fontsize=9)
    axes.margins(x=0.35)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
