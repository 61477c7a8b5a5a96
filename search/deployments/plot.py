"""The picture of measured deployments: accuracy over latency, and the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...tables.limit_line import draw_limit
from ...tables.picture import threads_in_words
from .score import MeasuredLimits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = {"fp32": "o", "int8": "s", "int8-static": "^"}


def choice_figure(
    rows: Sequence[Mapping[str, Any]], best: str, top: int, limits: MeasuredLimits
) -> Figure:
    """Draw every measured deployment by precision; those over a limit are hollow.

    rows: facts of each, and its score, None where it is over a limit.
    """
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for number, precision in enumerate(dict.fromkeys(row["precision"] for row in rows)):
        for kept in (True, False):
            chosen = [
                row
                for row in rows
                if row["precision"] == precision and (row["score"] is not None) == kept
            ]
            if not chosen:
                continue
            axes.scatter(
                [row["latency_ms"] for row in chosen],
                [100 * row[f"top{top}"] for row in chosen],
                marker=_MARKERS[precision],
                s=36,
                edgecolors=f"C{number}",
                facecolors=f"C{number}" if kept else "none",
                label=precision if kept else f"{precision}, over a limit",
            )
    winner = next(row for row in rows if row["name"] == best)
    # A ring: what is chosen keeps its own mark.
    axes.plot(
        winner["latency_ms"],
        100 * winner[f"top{top}"],
        "o",
        color="tab:red",
        markersize=13,
        markerfacecolor="none",
        markeredgewidth=1.6,
        zorder=3,
        label=f"chosen: {best}",
    )
    if limits.latency_ms is not None:
        draw_limit(axes, limits.latency_ms, [row["latency_ms"] for row in rows])
    axes.set_xlabel("measured latency of one image, ms")
    axes.set_ylabel(f"top-{top}, %")
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, frameon=False)
    return figure


def in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the title: what they were measured under."""
    threads = sorted({int(row["threads"]) for row in rows})
    several = f"{', '.join(map(str, threads[:-1]))} or {threads[-1]} threads"
    words = several if len(threads) > 1 else threads_in_words(threads[0])
    return f"this CPU: ONNX Runtime, one image a run, {words}"
