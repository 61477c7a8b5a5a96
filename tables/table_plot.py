"""The picture of a table: what every block and every whole model costs over its MACs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..models import Block
from .picture import logarithmic, titled
from .row import Row
from .setting import Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def table_figure(rows: Sequence[Row], ops: Sequence[str], setting: Setting) -> Figure:
    """Return milliseconds over MACs: blocks by op with their intervals, and whole models.

    Failed points and blocks of unknown MACs are left out.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.4), layout="constrained")
    axes = figure.subplots()
    known = [row for row in rows if row.verdict != "failed" and row.subject.macs > 0]
    for op in ops:
        _draw(axes, [r for r in known if _op(r) == op], op, "o", 4)
    _draw(axes, [row for row in known if row.is_model], "whole models", "*", 11)
    _mark_transferred(axes, [row for row in known if row.verdict == "transferred"])
    if known:
        logarithmic(
            axes, [row.subject.macs / 1e6 for row in known], [row.latency_ms for row in known]
        )
        axes.legend(fontsize=8, loc="upper left")
    axes.set_xlabel("MMACs per image")
    axes.set_ylabel("ms per run (95 % interval)")
    return titled(figure, setting)


def _mark_transferred(axes: Axes, rows: list[Row]) -> None:
    """Ring what was not measured but predicted from other tables."""
    if rows:
        axes.plot(
            [row.subject.macs / 1e6 for row in rows],
            [row.latency_ms for row in rows],
            "o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor="0.5",
            markeredgewidth=0.7,
            zorder=0,
            label="transferred, not measured",
        )


def _op(row: Row) -> str | None:
    return row.subject.op if isinstance(row.subject, Block) else None


def _draw(axes: Axes, rows: list[Row], label: str, marker: str, size: float) -> None:
    if not rows:
        return
    ms = [row.latency_ms for row in rows]
    known = all(row.low_ms == row.low_ms for row in rows)
    bars = (
        [
            [row.latency_ms - row.low_ms for row in rows],
            [row.high_ms - row.latency_ms for row in rows],
        ]
        if known
        else None
    )
    axes.errorbar(
        [row.subject.macs / 1e6 for row in rows],
        ms,
        yerr=bars,
        fmt=marker,
        markersize=size,
        alpha=0.7,
        linewidth=1,
        label=label,
    )
