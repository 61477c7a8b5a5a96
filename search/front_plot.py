"""The picture of a search: everything that was evaluated, the front, the limit and the winner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..tables.limit_line import draw_limit
from .found import Found
from .goal import SearchGoal
from .problem import SearchProblem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def front_figure(problem: SearchProblem, best: Found, front: Sequence[Found]) -> Figure:
    """Draw figure over the goal's other figure, and what was measured of the front.

    That is latency by the first table, parameters ("accuracy-size") or L + λ·C ("cost").
    """
    from matplotlib.figure import Figure as NewFigure

    population, figures = problem.evaluated()
    goals = problem.goal.goals(figures, problem.costs.of(population))[:, 1]
    order = np.arange(len(goals))
    top1 = problem.evaluator.is_accuracy
    scale = 100 if top1 else 1
    figure = NewFigure(figsize=(8, 5.2), layout="constrained")
    axes = figure.subplots()
    # What was evaluated later is darker: one sees where the search went.
    axes.scatter(
        goals,
        scale * figures,
        c=order,
        cmap="Greys",
        vmin=-len(order) * 0.4,
        s=12,
        label=f"evaluated ({len(order)}; darker: later)",
    )
    by_key = {tuple(row.tolist()): goal for row, goal in zip(population, goals, strict=True)}

    def goal_of(model: Found) -> float:
        key = tuple(problem.space.candidate_of(model.values).tolist())
        return float(by_key[key])

    on_front = sorted(front, key=goal_of)
    axes.plot(
        [goal_of(m) for m in on_front],
        [scale * m.figure for m in on_front],
        "o-",
        color="tab:blue",
        markersize=4,
        linewidth=1,
        label="front",
    )
    axes.plot(goal_of(best), scale * best.figure, "*", color="tab:red", markersize=15, label="best")
    _mark_measured(axes, problem.goal, [best, *front], scale)
    limits = [x for x in problem.limits.each if x.unit == "ms" and x.table == 0]
    if problem.goal.kind == "accuracy" and limits:
        draw_limit(axes, limits[0].most, goals.tolist())
    axes.set_xlabel(_axis(problem.goal))
    axes.set_ylabel(
        f"top-1, % ({problem.evaluator.measures[9:]})" if top1 else problem.evaluator.measures
    )
    axes.grid(True, alpha=0.3)
    # Below the axes: points may lie in every corner.
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=5, frameon=False)
    return figure


def _mark_measured(axes: Axes, goal: SearchGoal, models: Sequence[Found], scale: float) -> None:
    if goal.kind != "accuracy":
        return
    measured = [m for m in models if m.measured_ms and not np.isnan(m.measured_ms[0])]
    if measured:
        axes.plot(
            [m.measured_ms[0] for m in measured],
            [scale * m.figure for m in measured],
            "x",
            color="tab:orange",
            markersize=7,
            label="measured",
        )


def _axis(goal: SearchGoal) -> str:
    if goal.kind == "accuracy-size":
        return "parameters, millions"
    if goal.kind == "cost":
        what = "M parameters" if goal.auxiliary == "params" else "MMACs"
        return f"latency by the table, ms + {goal.weight:g} ms x {what}"
    return "latency by the table, ms"
