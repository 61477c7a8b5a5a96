"""The picture of models by runtimes: one panel a model, or each runtime against the fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import RuntimeComparison

MEBI = 2**20
# Blue, orange, green, …: distinguishable by colour-blind readers (Okabe and Ito's).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")


def runtimes_figure(found: RuntimeComparison) -> Figure:
    """Draw one model's latency, load time and memory; of several, latencies over the fastest's."""
    from matplotlib.figure import Figure

    if len(found.models) == 1:
        figure = Figure(figsize=(11, 1.2 + 0.4 * len(found.names)), layout="constrained")
        _one_model(figure, found)
    else:
        height = 1.4 + 0.34 * len(found.models) * max(1, len(found.names) / 4)
        figure = Figure(figsize=(9, height), layout="constrained")
        _several_models(figure.subplots(), found)
    figure.suptitle(found.title, fontsize=10)
    return figure


def _one_model(figure: Figure, found: RuntimeComparison) -> None:
    facts = sorted((one for one in found.facts if one.is_measured), key=lambda one: one.latency_ms)
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(2, 1, 1))
    values = (
        ("ms", [one.latency_ms for one in facts]),
        ("ms to load, and the first run", [one.load_ms + one.first_run_ms for one in facts]),
        ("MiB of memory, the process's peak", [one.peak_bytes / MEBI for one in facts]),
    )
    for panel, (title, of_panel) in zip(panels, values, strict=True):
        panel.barh(range(len(facts)), of_panel, color=COLOURS[0], height=0.65)
        panel.set_title(title, fontsize=9)
        panel.margins(x=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        ends = [one.high_ms for one in facts] if panel is panels[0] else of_panel
        for place, (value, end) in enumerate(zip(of_panel, ends, strict=True)):
            text = f"{value:.4g}" if value < 1000 else f"{value:.0f}"
            panel.annotate(
                text, (end, place), (5, 0), textcoords="offset points", va="center", fontsize=8
            )
    for place, one in enumerate(facts):
        panels[0].plot([one.low_ms, one.high_ms], [place, place], color="black", linewidth=1.5)
    panels[0].set_yticks(range(len(facts)), [one.name for one in facts])
    panels[0].invert_yaxis()


def _several_models(panel: Axes, found: RuntimeComparison) -> None:
    """Draw each runtime's latency over the model's fastest, a dot with its interval."""
    fastest = {
        choice.model: choice.fastest.latency_ms for choice in found.choices if not choice.dtype
    }
    names = found.names
    for nth, name in enumerate(names):
        colour = COLOURS[nth % len(COLOURS)]
        marker = "os^Dv<>P"[nth // len(COLOURS) % 8]
        label: str | None = name
        for place, model in enumerate(found.models):
            one = found.of(model, name)
            if one is None or not one.is_measured:
                continue
            y = place + (nth - (len(names) - 1) / 2) * 0.7 / len(names)
            ratio = [value / fastest[model] for value in (one.low_ms, one.latency_ms, one.high_ms)]
            panel.plot([ratio[0], ratio[2]], [y, y], color=colour, linewidth=1.5)
            panel.plot(ratio[1], y, marker, color=colour, markersize=5, label=label)
            label = None
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.xaxis.set_minor_formatter(lambda value, _: f"{value:g}")
    panel.tick_params(axis="x", which="both", labelsize=8)
    panel.set_xlabel("latency over the fastest runtime's")
    panel.set_yticks(range(len(found.models)), found.models)
    panel.invert_yaxis()
    panel.grid(axis="x", which="both", alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
