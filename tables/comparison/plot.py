"""The picture of `vitprof compare`: where MACs lie about latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..picture import logarithmic, titled
from ..setting import Setting
from .compared import BlockSpeed, ComparedModel, Inversion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LABELS = 14
OP_COLOURS = {
    "attention": "tab:blue",
    "mlp": "tab:orange",
    "patch_embed": "tab:green",
    "classifier": "tab:red",
}


def comparison_figure(
    models: Sequence[ComparedModel],
    speeds: Sequence[BlockSpeed],
    inversions: Sequence[Inversion],
    kendall_tau: float,
    setting: Setting,
) -> Figure:
    """Return models (latency over MACs) and blocks (attained GMAC/s over MACs)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_models(left, models, inversions, kendall_tau)
    _draw_blocks(right, speeds)
    return titled(figure, setting)


def _draw_models(
    axes: Axes,
    models: Sequence[ComparedModel],
    inversions: Sequence[Inversion],
    kendall_tau: float,
) -> None:
    gmacs = np.array([m.macs for m in models]) / 1e9
    ms = np.array([m.latency_ms for m in models])
    predicted = np.array([m.predicted_ms for m in models])
    measured = np.array([m.measured_ms for m in models])
    axes.errorbar(
        gmacs,
        predicted,
        yerr=[
            predicted - [m.low_ms for m in models],
            np.array([m.high_ms for m in models]) - predicted,
        ],
        fmt="o",
        color="tab:blue",
        capsize=3,
        label="predicted by the table (95 % interval)",
    )
    if np.isfinite(measured).any():
        axes.plot(gmacs, measured, "D", ms=8, mfc="none", color="tab:red", label="measured")
    speed = float(np.median([m.gmacs_per_s for m in models])) / models[0].batch
    line = np.array([gmacs.min() * 0.8, gmacs.max() * 1.25])
    axes.plot(
        line,
        1e3 * line / speed,
        "--",
        color="grey",
        label=f"if MACs were time ({speed:.3g} GMAC/s)",
    )
    wrong = {i.slower for i in inversions}
    slower = np.array([m.model in wrong for m in models])
    if slower.any():
        axes.plot(
            gmacs[slower],
            ms[slower],
            "o",
            ms=9,
            mfc="none",
            color="tab:red",
            label="slower than a model of more MACs",
        )
    for m, x, y in _labelled(models, gmacs, ms):
        axes.annotate(
            m,
            (x, y),
            xytext=(8, -3),
            textcoords="offset points",
            fontsize=8,
            color="tab:red" if m in wrong else "black",
        )
    logarithmic(axes, gmacs.tolist(), ms.tolist())
    axes.set_xlabel("GMACs per image")
    axes.set_ylabel("latency, ms per run")
    count = len(inversions)
    axes.set_title(
        f"Models: Kendall tau {kendall_tau:.3f}, "
        f"{count} pair{'' if count == 1 else 's'} that MACs get wrong"
    )
    axes.legend(fontsize=8, loc="upper left")


def _labelled(
    models: Sequence[ComparedModel], gmacs: np.ndarray, ms: np.ndarray
) -> list[tuple[str, float, float]]:
    """Choose the names to write: all when few; of many, none could be read."""
    if len(models) > MOST_LABELS:
        return []
    return [(m.model, x, y) for m, x, y in zip(models, gmacs, ms, strict=True)]


def _draw_blocks(axes: Axes, speeds: Sequence[BlockSpeed]) -> None:
    for op in dict.fromkeys(s.block.op for s in speeds):
        of_op = [s for s in speeds if s.block.op == op]
        embeds = np.array([s.block["embed"] for s in of_op], dtype=float)
        axes.scatter(
            [s.block.macs / 1e6 for s in of_op],
            [s.gmacs_per_s for s in of_op],
            s=14 + 90 * embeds / max(embeds.max(), 1),
            alpha=0.6,
            color=OP_COLOURS.get(op),
            label=op,
        )
    from matplotlib.collections import PathCollection
    from matplotlib.legend_handler import HandlerPathCollection as _OneSize

    logarithmic(axes, [s.block.macs for s in speeds], [s.gmacs_per_s for s in speeds])
    axes.set_xlabel("MMACs of the block, per image")
    axes.set_ylabel("attained GMAC/s")
    axes.set_title("Blocks: the same MACs are not the same time (size: embed)")
    # The legend's dots are of one size: theirs means nothing.
    axes.legend(fontsize=8, handler_map={PathCollection: _OneSize(sizes=[40])})
