"""The picture of a search: everything that was evaluated, the front, the limit and the winner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..tables import Setting
from ..tables.picture import save_picture
from .found import Found
from .objective import Objective
from .problem import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_front(
    problem: Problem, best: Found, front: Sequence[Found], setting: Setting, path: str | Path
) -> None:
    """Draw figure over the objective's other goal, and what was measured of the front.

    The other goal is latency by the first table, parameters ("accuracy-size") or L + λ·C ("cost").
    The suffix chooses the format. Raises UserError when the picture cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    population, figures = problem.evaluated()
    costs = problem.costs(population)
    goals = problem.objective.goals(figures, costs)[:, 1]
    order = np.arange(len(goals))
    top1 = problem.evaluator.measures.startswith("top-1")
    scale = 100 if top1 else 1
    figure, axes = plt.subplots(figsize=(8, 5.2), layout="constrained")
    # What was evaluated later is darker: one sees where the search went.
    axes.scatter(goals, scale * figures, c=order, cmap="Greys", vmin=-len(order) * 0.4, s=12,
                 label=f"evaluated ({len(order)}; darker: later)")  # fmt: skip
    by_key = {tuple(row.tolist()): goal for row, goal in zip(population, goals, strict=True)}

    def goal_of(model: Found) -> float:
        key = tuple(problem.space.candidate_of(model.values).tolist())
        return float(by_key[key])

    on_front = sorted(front, key=goal_of)
    axes.plot([goal_of(m) for m in on_front], [scale * m.figure for m in on_front],
              "o-", color="tab:blue", markersize=4, linewidth=1, label="front")  # fmt: skip
    axes.plot(goal_of(best), scale * best.figure, "*", color="tab:red", markersize=15,
              label="handed out")  # fmt: skip
    _mark_measured(axes, problem.objective, [best, *front], scale)
    limits = [x for x in problem.limits.limits if x.unit == "ms" and x.table == 0]
    if problem.objective.kind == "accuracy" and limits:
        axes.axvline(limits[0].most, color="tab:red", linestyle="--", linewidth=1,
                     label=f"limit {limits[0].in_words()}")  # fmt: skip
    axes.set_xlabel(_axis(problem.objective))
    axes.set_ylabel(f"top-1, % ({problem.evaluator.measures[9:]})" if top1
                    else problem.evaluator.measures)  # fmt: skip
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    save_picture(figure, setting, path)


def _mark_measured(axes: Axes, objective: Objective, models: Sequence[Found], scale: float) -> None:
    if objective.kind != "accuracy":
        return
    measured = [m for m in models if m.measured_ms and not np.isnan(m.measured_ms[0])]
    if measured:
        axes.plot([m.measured_ms[0] for m in measured], [scale * m.figure for m in measured],
                  "x", color="tab:orange", markersize=7, label="measured")  # fmt: skip


def _axis(objective: Objective) -> str:
    if objective.kind == "accuracy-size":
        return "parameters, millions"
    if objective.kind == "cost":
        what = "M parameters" if objective.auxiliary == "params" else "MMACs"
        return f"latency by the table, ms + {objective.weight:g} ms x {what}"
    return "latency by the table, ms"
