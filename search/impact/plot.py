"""The picture of `vitprof impact`: what removing each module saves, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...models import Spec
from ...models.removal import removable
from .impact import Impact

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PER_MS = {True: " / ms", False: ""}
_COLOURS = {
    "attention": "tab:blue",
    "mlp": "tab:orange",
    "layer": "tab:purple",
    "mbconv": "tab:olive",
}


def impact_figure(impacts: Sequence[Impact], spec: Spec, images: int) -> Figure:
    """Draw each module's milliseconds saved and points lost, in the order in which they run.

    images: how many the accuracies are of.
    """
    from matplotlib.figure import Figure as NewFigure

    places = {module.name: place for place, module in enumerate(removable(spec))}
    impacts = sorted(impacts, key=lambda impact: places[impact.name])
    height = max(3.5, 0.28 * len(impacts) + 1.8)
    figure = NewFigure(figsize=(12, height), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    saved = [impact.ms_saved for impact in impacts]
    _draw(left, impacts, saved, [f"{100 * ms / impacts[0].ms:.1f} %" for ms in saved])
    left.set_ylabel(f"module of {spec.name}")
    left.set_xlabel(f"ms saved, of {impacts[0].ms:.3g} ms")
    left.set_title("What removing it saves")
    lost = [impact.points_lost for impact in impacts]
    _draw(right, impacts, lost, [_in_words(impact) for impact in impacts])
    right.set_xlabel(
        f"points of top-1 lost, of {100 * impacts[0].accuracy:.2f} % ({images} images)"
    )
    right.set_title("What it costs (in brackets points lost per ms saved)")
    right.tick_params(axis="y", left=False)
    left.invert_yaxis()  # of both, which share it
    if len({impact.module.kind for impact in impacts}) > 1:
        _add_legend(right, impacts)
    return figure


def _draw(
    axes: Axes, impacts: Sequence[Impact], values: Sequence[float], labels: Sequence[str]
) -> None:
    axes.barh(
        [impact.name for impact in impacts],
        values,
        color=[_COLOURS[impact.module.kind] for impact in impacts],
    )
    for place, (value, label) in enumerate(zip(values, labels, strict=True)):
        axes.annotate(
            label,
            (max(value, 0), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color="0.3",
        )
    axes.axvline(0, color="0.2", linewidth=0.8)
    low, high = min([0.0, *values]), max([0.0, *values])
    spread = high - low or 1.0
    axes.set_xlim(low - 0.03 * spread if low else 0, high + 0.35 * spread)  # room for the labels
    axes.grid(True, axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def _in_words(impact: Impact) -> str:
    return f"{impact.points_lost:.2f} ({impact.ratio_in_words}{_PER_MS[impact.saves_time]})"


def _add_legend(axes: Axes, impacts: Sequence[Impact]) -> None:
    from matplotlib.patches import Patch

    kinds = dict.fromkeys(impact.module.kind for impact in impacts)
    patches = [Patch(color=_COLOURS[kind], label=kind) for kind in kinds]
    axes.figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))
