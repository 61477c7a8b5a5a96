"""The picture of where pruning took what: widths layer by layer (Yang et al. 2023, Fig. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.structures.structure import Kind
from ...tables import Setting
from ...tables.picture import save_picture, setting_in_words
from .redistribution import Sensitivity, Width, by_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES: dict[Kind, str] = {
    "heads": "heads",
    "qk": "QK a head",
    "v": "V a head",
    "mlp": "MLP",
    "embed": "EMB",
    "channels": "channels",
}


def plot_redistribution(
    shape: Sequence[Width],
    sensitivities: Sequence[Sensitivity],
    setting: Setting,
    path: str | Path,
    what: str = "",
) -> None:
    """Write the picture of `draw_redistribution`; the suffix chooses the format (png, svg, pdf).

    what: the model and its target, "deit-small at 0.5x", for the title.

    Raises UserError when it cannot be written.
    """
    where = setting_in_words(setting)
    title = f"{what}; {where}" if what else where
    save_picture(draw_redistribution(shape, sensitivities), title, path)


def draw_redistribution(shape: Sequence[Width], sensitivities: Sequence[Sensitivity]) -> Figure:
    """Draw the widths before (grey) and after (blue), and what a unit matters and costs.

    A panel for each kind that changed; those that did not are named beside the axis of the last.
    """
    from matplotlib.figure import Figure

    by_title = {
        title: [width for width in shape if width.kind == kind] for kind, title in TITLES.items()
    }
    present = {title: widths for title, widths in by_title.items() if widths}
    changed = {
        title: widths
        for title, widths in present.items()
        if any(width.before != width.after for width in widths)
    }
    panels = len(changed) + bool(sensitivities or not changed)
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.35 * columns, 3.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, (title, widths) in enumerate(changed.items()):
        _draw_kind(axes[place], widths, title, legend=place == 0)
    if panels > len(changed):
        _draw_sensitivities(axes[len(changed)], sensitivities)
    for empty in axes[panels:]:
        empty.remove()
    same = [title for title in present if title not in changed]
    if same:
        figure.supxlabel(f"unchanged: {', '.join(same)}", fontsize=9)
    return figure


def _draw_kind(axes: Axes, widths: Sequence[Width], title: str, legend: bool) -> None:
    places = range(len(widths))
    axes.bar(places, [w.before for w in widths], color="0.85", label="before")
    bars = axes.bar(places, [w.after for w in widths], color="tab:blue", width=0.6, label="after")
    many = len(widths) > 12
    axes.bar_label(bars, fontsize=7 if many else 8, padding=1, rotation=90 if many else 0)
    axes.margins(y=0.15 if many else 0.1)
    # "3" of layers.3, "2.0" of stages.2.layers.0.
    numbers = [".".join(filter(str.isdecimal, w.layer.split("."))) for w in widths]
    axes.set_xticks(list(places), [number or "model" for number in numbers])
    if any("." in number for number in numbers):
        axes.set_xlabel("stage.layer")
        axes.tick_params(axis="x", labelsize=7, rotation=90 if many else 0)
    elif numbers != [""]:
        axes.set_xlabel("layer" if title != TITLES["embed"] else "stage")
    axes.set_title(title)
    axes.grid(True, axis="y", alpha=0.3)
    if legend:
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def _draw_sensitivities(axes: Axes, found: Sequence[Sensitivity]) -> None:
    """Importance over latency of one unit of each kind: down and to the right goes first."""
    axes.set_title("one unit of the unpruned model")
    if not found:
        axes.text(0.5, 0.5, "not recorded", ha="center", va="center", transform=axes.transAxes)
        return
    for each in by_kind(found):
        if not each.latency_ms or each.latency_ms < 0 or each.importance <= 0:
            continue
        axes.scatter(each.latency_ms * 1000, each.importance, color="tab:blue")
        axes.annotate(
            TITLES[each.kind],
            (each.latency_ms * 1000, each.importance),
            xytext=(5, 3),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.15)
    axes.set_xlabel("latency, us")
    axes.set_ylabel("importance")
    axes.grid(True, alpha=0.3)
