"""Trajectory scores that are kept on disk while they are made, so that a killed run goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ...models.modules.words import Words
from ...training.saved_run import SavedRun
from .fast_errors import fast_errors, in_words, prediction_errors
from .trajectory import importances
from .trajectory_score import Scoring, trajectory_errors
from .walk import Walk


@dataclass(frozen=True)
class SavedScores:
    """The score of every unit by its structure's name, and what there is to say of them."""

    scores: dict[str, Tensor]
    remarks: list[str]


def saved_scores(
    walk: Walk,
    inputs: Tensor | Words,
    scoring: Scoring,
    saved: SavedRun,
    on_units: Callable[[int, int], None] | None = None,
) -> SavedScores:
    """Return the scores of every source's units; those that `saved` holds are not made again."""

    def keep(done: int, total: int, errors: Mapping[str, Tensor]) -> None:
        if on_units is not None:
            on_units(done, total)
        if saved.is_due():
            saved.save({"errors": dict(errors)})

    state = saved.load() or {"errors": {}}
    errors_of = fast_errors if scoring.fast else trajectory_errors
    errors = errors_of(walk, inputs, scoring, keep, state["errors"])
    off = state.get("off")
    if scoring.fast and off is None:
        off = prediction_errors(walk, inputs, scoring, errors)
    saved.save({"errors": errors, "off": off})
    remark = "" if off is None else in_words(off)
    return SavedScores(importances(scoring.trajectory, errors), [remark] if remark else [])
