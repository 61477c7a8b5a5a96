"""The picture of where pruning took what: widths layer by layer (Yang et al. 2023, Fig. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.structures.structure import Kind
from ...tables import Setting
from ...tables.picture import save_picture
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
) -> None:
    """Write the picture of `draw_redistribution`; the suffix chooses the format (png, svg, pdf).

    Raises UserError when it cannot be written.
    """
    save_picture(draw_redistribution(shape, sensitivities), setting, path)


def draw_redistribution(shape: Sequence[Width], sensitivities: Sequence[Sensitivity]) -> Figure:
    """Draw each kind's widths before (grey) and after (blue), and what a unit matters and costs."""
    from matplotlib.figure import Figure

    # A CNN has channels alone, a transformer all the others.
    channels = any(width.kind == "channels" for width in shape)
    rows, columns = (1, 2) if channels else (2, 3)
    figure = Figure(figsize=(13, 4) if channels else (13, 7), layout="constrained")
    axes = figure.subplots(rows, columns)
    kinds = [kind for kind in TITLES if (kind == "channels") == channels]
    for panel, kind in zip(axes.flat, kinds, strict=False):
        _draw_kind(panel, [width for width in shape if width.kind == kind], TITLES[kind])
    _draw_sensitivities(axes.flat[-1], sensitivities)
    return figure


def _draw_kind(axes: Axes, widths: Sequence[Width], title: str) -> None:
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
    if title in ("heads", "channels"):
        axes.legend(fontsize=8, loc="lower right" if title == "heads" else "upper left")


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
