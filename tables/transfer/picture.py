"""The picture of a transfer: probes as predicted and as measured, and how wide intervals are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...models import Block
from ..picture import logarithmic
from ..row import Row
from .transferred import Probe


def transfer_figure(probes: Sequence[Probe], rows: Sequence[Row], title: str) -> Figure:
    """Return two panels: predicted over measured probes, and half-widths of rows by op."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_probes(left, probes)
    _draw_widths(right, [row for row in rows if row.verdict == "transferred"])
    figure.suptitle(title, fontsize=10)
    return figure


def _draw_probes(axes: Axes, probes: Sequence[Probe]) -> None:
    kinds = {"whole models": True, "blocks": False}
    for (label, whole), marker in zip(kinds.items(), ("*", "o"), strict=True):
        shown = [one for one in probes if isinstance(one.key[0], Block) != whole]
        if shown:
            axes.errorbar(
                [one.measured_ms for one in shown],
                [one.predicted_ms for one in shown],
                yerr=[
                    [one.predicted_ms - one.low_ms for one in shown],
                    [one.high_ms - one.predicted_ms for one in shown],
                ],
                fmt=marker,
                markersize=9 if whole else 5,
                linewidth=1,
                label=label,
            )
    measured = [one.measured_ms for one in probes]
    ends = [min(measured) * 0.8, max(measured) * 1.25]
    axes.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
    logarithmic(axes, ends, ends)
    axes.set_xlabel("measured, ms")
    axes.set_ylabel("predicted from the sources and the other probes, ms")
    axes.legend(fontsize=8)


def _draw_widths(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw for each op a box of its rows' half-widths."""
    by_op: dict[str, list[float]] = {}
    for row in rows:
        name = row.subject.op if isinstance(row.subject, Block) else "whole models"
        half = 100 * (row.high_ms - row.low_ms) / 2 / row.latency_ms
        by_op.setdefault(name, []).append(half)
    if not by_op:
        return
    names = list(by_op)
    axes.boxplot([by_op[name] for name in names], orientation="horizontal", whis=(0, 100))
    axes.set_yticks(np.arange(1, len(names) + 1), [f"{n} ({len(by_op[n])})" for n in names])
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.grid(True, axis="x", alpha=0.3)
    axes.set_xlabel("half of the 95 % interval of transferred rows, %")
