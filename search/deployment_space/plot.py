"""The picture of a deployment space: accuracy over latency, the front, the limit, the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .limits import Limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = {"fp32": "o", "bf16": "D", "int8": "s", "int8-static": "^"}


def deployments_figure(
    rows: Sequence[Mapping[str, Any]], best: str, top: int, limits: Limits
) -> Figure:
    """Draw every deployment that can be run; what is only predicted is pale and small.

    rows: as `answer.rows` gives them. A colour a runtime, a marker a number format.
    """
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    shown = [row for row in rows if row["status"] != "refused"]
    figure = NewFigure(figsize=(9, 5.4), layout="constrained")
    axes = figure.subplots()
    runtimes = list(dict.fromkeys(row["runtime"] for row in shown))
    for runtime, dtype in dict.fromkeys((row["runtime"], row["dtype"]) for row in shown):
        colour = f"C{runtimes.index(runtime)}"
        for status, size, alpha in (("predicted", 14, 0.3), ("measured", 40, 1.0)):
            chosen = [
                row
                for row in shown
                if (row["runtime"], row["dtype"], row["status"]) == (runtime, dtype, status)
            ]
            if chosen:
                axes.scatter(
                    [row["latency_ms"] for row in chosen],
                    [100 * row["accuracy"] for row in chosen],
                    marker=_MARKERS.get(dtype, "o"),
                    s=size,
                    alpha=alpha,
                    color=colour,
                    linewidths=0,
                    label=f"{runtime} {dtype}, {status} ({len(chosen)})",
                )
    front = sorted((row for row in shown if row["on_front"]), key=lambda row: row["latency_ms"])
    axes.plot(
        [row["latency_ms"] for row in front],
        [100 * row["accuracy"] for row in front],
        drawstyle="steps-post",
        color="0.5",
        linewidth=1,
        zorder=1,
        label="front",
    )
    winner = next(row for row in shown if row["name"] == best)
    axes.plot(
        winner["latency_ms"],
        100 * winner["accuracy"],
        "o",
        color="tab:red",
        markersize=14,
        markerfacecolor="none",
        markeredgewidth=1.6,
        label="chosen",
    )
    if limits.latency_ms is not None:
        label = f"limit {limits.latency_ms:.4g} ms"
        axes.axvline(limits.latency_ms, color="tab:red", linestyle="--", linewidth=1, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("latency of one image, ms")
    axes.set_ylabel(f"top-{top}, %")
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure
