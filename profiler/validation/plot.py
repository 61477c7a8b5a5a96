"""The picture of `vitprof validate`: predicted against measured, and who errs how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...tables.picture import logarithmic, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .validate import ValidationResult

NAMES = {
    "table": "this table",
    "naive_sum": "sum of lone blocks",
    "macs_line": "a·MACs + b",
    "macs_blocks_line": "a·MACs + b·blocks + c",
    "operator_model": "operator model (AutoViT Eq. 6)",
    "mlp": "MLP (HAT)",
    "random_forest": "random forest",
}


def draw_validation(result: ValidationResult) -> Figure:
    """Return the picture of a validation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    measured, predicted = np.array(result.measured_ms), np.array(result.predicted_ms)
    span = np.array([0.9 * measured.min(), 1.1 * measured.max()])
    left.fill_between(span, 0.95 * span, 1.05 * span, color="tab:green", alpha=0.2, label="±5 %")
    left.plot(span, span, color="grey", lw=1)
    left.errorbar(
        measured,
        predicted,
        yerr=[predicted - result.low_ms, np.array(result.high_ms) - predicted],
        fmt="o",
        ms=4,
        lw=1,
        color="tab:blue",
        label=f"{len(measured)} unseen models, 95 % interval",
    )
    left.set(
        xlabel="measured, ms",
        ylabel="predicted, ms",
        title=f"MAPE {result.errors.mape:.1%}, {result.errors.within_5:.0%} within ±5 %\n"
        f"a second measurement differs by {result.noise_floor.mape:.1%}",
    )
    logarithmic(left, measured.tolist(), predicted.tolist())
    left.legend(loc="upper left")
    _draw_rivals(right, result)
    return titled(figure, result.setting)


def _draw_rivals(axes: Axes, result: ValidationResult) -> None:
    measured = np.array(result.measured_ms)
    entries = [("table", result.predicted_ms, 0)]
    entries += [(name, r.predicted_ms, r.trained_on) for name, r in result.rivals.items()]
    entries.reverse()
    errors = [100 * np.abs(np.array(p) / measured - 1) for _, p, _ in entries]
    boxes = axes.boxplot(errors, orientation="horizontal", whis=(0, 100), patch_artist=True)
    for box, (name, _, _) in zip(boxes["boxes"], entries, strict=True):
        box.set_facecolor("tab:blue" if name == "table" else "lightgrey")
    labels = [
        NAMES[name] + (f"\n({count} models measured)" if count else "")
        for name, _, count in entries
    ]
    axes.set_yticks(range(1, len(entries) + 1), labels)
    floor = 100 * result.noise_floor.mape
    axes.axvline(floor, color="tab:red", ls="--", lw=1, label=f"noise floor {floor:.1f} %")
    axes.set(
        xlabel="error of a model, % (box: quartiles, whiskers: all)", title="Beside its rivals"
    )
    axes.grid(True, axis="x", alpha=0.3)
    axes.legend()
