"""The picture of what fused attention gains: over batches, and over the length of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...tables.picture import save_picture
from .timing import Compared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {"training": "o-", "inference": "s--"}


def plot_attention(results: Sequence[Compared], title: str, path: str | Path) -> None:
    """Draw plain / fused with its interval: whole models left, single blocks right, as far as had.

    The suffix chooses the format (png, svg, pdf). Raises UserError when it cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds = [
        (what, axis, words)
        for what, axis, words in (
            ("model", "batch", "images in a batch of a whole model"),
            ("block", "tokens", "tokens of one attention block"),
        )
        if any(one.case.what == what and not one.error for one in results)
    ]
    figure, panels = plt.subplots(
        1, max(len(kinds), 1), figsize=(6 * max(len(kinds), 1), 4.2), layout="constrained",
        squeeze=False, sharey=True,
    )  # fmt: skip
    for axes, (what, axis, words) in zip(panels[0], kinds, strict=False):
        _draw(axes, [o for o in results if o.case.what == what and not o.error], axis)
        axes.set_xlabel(words)
    panels[0][0].set_ylabel("plain / fused (above 1: fusing pays)")
    save_picture(figure, title, path)


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
        axes.errorbar(x, y, yerr=around, fmt=_STYLES[mode], markersize=4, linewidth=1, capsize=2,
                      color=f"C{dtypes.index(dtype)}", label=f"{mode}, {dtype}")  # fmt: skip
    axes.axhline(1.0, color="0.5", linewidth=1)
    axes.set_xscale("log", base=2)
    ticks = sorted({getattr(one.case, axis) for one in results})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=8)
