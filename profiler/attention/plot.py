"""The picture of what fused attention gains: over batches, and over the length of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...tables.picture import titled
from .timing import Compared

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = {"training": "o-", "inference": "s--"}


def draw_attention(results: Sequence[Compared], title: str) -> Figure:
    """Return plain / fused with its interval: whole models left, single blocks right, as had."""
    from matplotlib.figure import Figure

    kinds = [
        (what, axis, words)
        for what, axis, words in (
            ("model", "batch", "images in a batch of a whole model"),
            ("block", "tokens", "tokens of one attention block"),
        )
        if any(one.case.what == what and not one.error for one in results)
    ]
    columns = max(len(kinds), 1)
    figure = Figure(figsize=(6 * columns, 4.2), layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False, sharey=True)
    for axes, (what, axis, words) in zip(panels[0], kinds, strict=False):
        _draw(axes, [o for o in results if o.case.what == what and not o.error], axis)
        axes.set_xlabel(words)
    panels[0][0].set_ylabel("plain / fused (above 1: fusing pays)")
    return titled(figure, title)


def _draw(axes: Axes, results: Sequence[Compared], axis: str) -> None:
    series: dict[tuple[str, str], list[Compared]] = {}
    for one in results:
        series.setdefault((one.case.dtype, one.case.mode), []).append(one)
    dtypes = list(dict.fromkeys(dtype for dtype, _ in series))
    for (dtype, mode), points in series.items():
        x = [getattr(one.case, axis) for one in points]
        y = [one.speedup for one in points]
        around = [
            [one.speedup - one.low for one in points],
            [one.high - one.speedup for one in points],
        ]
        axes.errorbar(
            x,
            y,
            yerr=around,
            fmt=_STYLES[mode],
            markersize=4,
            linewidth=1,
            capsize=2,
            color=f"C{dtypes.index(dtype)}",
            label=f"{mode}, {dtype}",
        )
    axes.axhline(1.0, color="0.5", linewidth=1)
    axes.set_xscale("log", base=2)
    ticks = sorted({getattr(one.case, axis) for one in results})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=8)
