"""The picture of a run without pause: latency over time, and the sensors below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...tables.picture import setting_in_words, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import SustainedResult

LATENCY, FAST, STEADY, BEGIN = "#2166ac", "#1b7837", "#b2182b", "#b2182b"


def draw_sustained(result: SustainedResult) -> Figure:
    """Return the picture; sensors without values have no panel."""
    from matplotlib.figure import Figure

    every = result.trace.intervals
    panels = [
        (name, values, colour)
        for name, values, colour in (
            ("clock, MHz", [one.mhz for one in every], "#4d4d4d"),
            ("temperature, °C", [one.celsius for one in every], "#d6604d"),
            ("power, W", [_watts(one.joules, one.seconds) for one in every], "#762a83"),
        )
        if any(value is not None for value in values)
    ]
    figure = Figure(figsize=(11, 4.2 + 1.6 * len(panels)), layout="constrained")
    heights = [2.6, *([1.0] * len(panels))]
    grid = figure.subplots(1 + len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
    latency, *below = grid[:, 0]
    middle = np.array([(one.start_s + one.end_s) / 2 for one in every])
    _latency(latency, result, middle)
    for axes, (name, values, colour) in zip(below, panels, strict=True):
        axes.plot(middle, [np.nan if v is None else v for v in values], color=colour, linewidth=1)
        axes.set_ylabel(name)
    for axes in grid[:, 0]:
        axes.grid(True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if result.throttling_begins_s is not None:
            axes.axvline(result.throttling_begins_s, color=BEGIN, linewidth=1.2, linestyle=":")
    grid[-1, 0].set_xlabel("seconds since the first warm run")
    return titled(figure, f"{result.spec.name or 'model'} on {setting_in_words(result.setting)}")


def _latency(axes: Axes, result: SustainedResult, middle: np.ndarray) -> None:
    every, found = result.trace.intervals, result.throttling
    low, high = [one.min_ms for one in every], [one.p90_ms for one in every]
    axes.fill_between(
        middle,
        low,
        high,
        color=LATENCY,
        alpha=0.18,
        linewidth=0,
        label="quickest run to 90th percentile",
    )
    each = f"{every[0].seconds:.2g} s" if every else "interval"
    axes.plot(middle, result.warm_ms, color=LATENCY, linewidth=1.2, label=f"median of each {each}")
    if found is None:
        axes.axhline(
            result.fast_ms,
            color=FAST,
            linewidth=1,
            linestyle="--",
            label=f"warm runs: {result.fast_ms:.4g} ms",
        )
    else:
        levels = (("fast", found.fast_ms, FAST), ("steady", found.steady_ms, STEADY))
        for name, level, colour in levels:
            axes.axhline(
                level, color=colour, linewidth=1, linestyle="--", label=f"{name}: {level:.4g} ms"
            )
        axes.annotate(
            f" throttling begins: {result.throttling_begins_s:.1f} s, +{100 * found.rise:.0f} %",
            (result.throttling_begins_s or 0.0, 1.0),
            xycoords=("data", "axes fraction"),
            va="top",
            fontsize=9,
            color=BEGIN,
        )
    axes.set_ylabel("latency, ms")
    # A few runs that were interrupted for long would flatten all others.
    bottom, top = min(low), float(np.quantile(high, 0.98))
    room = 0.08 * max(top - bottom, 0.02 * top)
    axes.set_ylim(bottom - room, top + 2.5 * room)
    axes.set_title(f"the first run took {result.trace.first_ms:.4g} ms", fontsize=9, loc="left")
    axes.legend(loc="upper right", fontsize=8, framealpha=0.9, ncols=2)


def _watts(joules: float | None, seconds: float) -> float | None:
    return None if joules is None else joules / seconds
