"""The picture of models on a phone: as timed, and as predicted from other phones."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .timed_models import TimedModel


def models_figure(models: Sequence[TimedModel], title: str) -> Figure:
    """Return a line a model, the quickest at the top: ms with the 95 % interval."""
    shown = sorted(models, key=lambda one: one.ms)
    figure = Figure(figsize=(8, 1.2 + 0.19 * max(len(shown), 8)), layout="constrained")
    axes = figure.subplots()
    for transferred, label, marker in ((False, "timed", "*"), (True, "transferred", "o")):
        where = [n for n, one in enumerate(shown) if one.transferred == transferred]
        if where:
            axes.errorbar(
                [shown[n].ms for n in where],
                where,
                xerr=[
                    [shown[n].ms - shown[n].low_ms for n in where],
                    [shown[n].high_ms - shown[n].ms for n in where],
                ],
                fmt=marker,
                markersize=8 if marker == "*" else 4,
                linewidth=1,
                label=label,
            )
    axes.set_yticks(range(len(shown)), [one.model for one in shown], fontsize=7)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(True, axis="x", alpha=0.3)
    axes.set_xlabel("ms (95 % interval)")
    if shown:
        axes.legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure
