"""Trajectory scores that are kept on disk while they are made, so that a killed run goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from ...models.modules.words import Words
from ...training.saved_run import SavedRun
from .trajectory import importances
from .trajectory_score import Scoring, trajectory_errors
from .walk import Walk


def saved_scores(
    walk: Walk,
    inputs: Tensor | Words,
    scoring: Scoring,
    saved: SavedRun,
    on_units: Callable[[int, int], None] | None = None,
) -> dict[str, Tensor]:
    """Return the scores of every source's units; those that `saved` holds are not made again."""

    def keep(done: int, total: int, errors: Mapping[str, Tensor]) -> None:
        if on_units is not None:
            on_units(done, total)
        if saved.is_due():
            saved.save({"errors": dict(errors)})

    state = saved.load()
    known = {} if state is None else dict(state["errors"])
    errors = trajectory_errors(walk, inputs, scoring, keep, known)
    saved.save({"errors": errors})
    return importances(scoring.trajectory, errors)
