"""The picture of `vitprof validate`: predicted against measured, and who errs how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...tables import Setting
from ...tables.comparison.errors_of_prediction import PredictionErrors
from ...tables.picture import logarithmic, titled
from .rival import Rival

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {
    "table": "this table",
    "naive_sum": "sum of lone blocks",
    "macs_line": "a·MACs + b",
    "macs_blocks_line": "a·MACs + b·blocks + c",
    "macs_activations_line": "a·MACs + b·activations + c",
    "operator_model": "operator model (AutoViT Eq. 6)",
    "mlp": "MLP (HAT)",
    "random_forest": "random forest",
}


def draw_validation(
    measured_ms: Sequence[float],
    predicted_ms: Sequence[float],
    interval: tuple[Sequence[float], Sequence[float]],
    errors: PredictionErrors,
    noise_floor: PredictionErrors,
    rivals: Mapping[str, Rival],
    setting: Setting,
    mape_interval: tuple[float, float],
) -> Figure:
    """Return the picture of a validation; interval: the low and high ends of predictions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    measured, predicted = np.array(measured_ms), np.array(predicted_ms)
    span = np.array([0.9 * measured.min(), 1.1 * measured.max()])
    left.fill_between(span, 0.95 * span, 1.05 * span, color="tab:green", alpha=0.2, label="±5 %")
    left.plot(span, span, color="grey", lw=1)
    left.errorbar(
        measured,
        predicted,
        yerr=[predicted - interval[0], np.array(interval[1]) - predicted],
        fmt="o",
        ms=4,
        lw=1,
        color="tab:blue",
        label=f"{len(measured)} unseen models, 95 % interval",
    )
    left.set(
        xlabel="measured, ms",
        ylabel="predicted, ms",
        title=f"MAPE {errors.mape:.2%} ({mape_interval[0]:.2%} to {mape_interval[1]:.2%}), "
        f"{errors.within_5:.0%} within ±5 %\n"
        f"a second measurement differs by {noise_floor.mape:.1%}",
    )
    logarithmic(left, measured.tolist(), predicted.tolist())
    left.legend(loc="upper left")
    _draw_rivals(right, measured, rivals, predicted_ms, noise_floor.mape)
    return titled(figure, setting)


def _draw_rivals(
    axes: Axes,
    measured: np.ndarray,
    rivals: Mapping[str, Rival],
    own_ms: Sequence[float],
    noise_floor: float,
) -> None:
    entries = [("table", own_ms, 0)]
    entries += [(name, r.predicted_ms, r.trained_on) for name, r in rivals.items()]
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
    floor = 100 * noise_floor
    axes.axvline(floor, color="tab:red", ls="--", lw=1, label=f"noise floor {floor:.1f} %")
    axes.set(
        xlabel="error of a model, % (box: quartiles, whiskers: all)", title="Beside its rivals"
    )
    axes.grid(True, axis="x", alpha=0.3)
    axes.legend()
