"""Trajectory scores that are kept on disk while they are made, so that a killed run goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    ray: Any = None,
) -> SavedScores:
    """Return the scores of every source's units; those that `saved` holds are not made again.

    ray: the module, connected, whose workers score; None: this process does.
    """
    state = saved.load() or {"errors": {}}

    def keeping(name: str) -> Callable[[int, int, Mapping[str, Any]], None]:
        def keep(done: int, total: int, found: Mapping[str, Any]) -> None:
            if on_units is not None:
                on_units(done, total)
            if saved.is_due():
                saved.save({**state, name: dict(found)})

        return keep

    names = {source.structure.name for source in walk.sources}
    if ray is None or names <= set(state["errors"]):
        errors_of = fast_errors if scoring.fast else trajectory_errors
        errors = errors_of(walk, inputs, scoring, keeping("errors"), state["errors"])
    else:
        from .ray_scoring import ray_errors
        from .scoring_pieces import Job

        job = Job(walk, inputs, scoring)
        errors = ray_errors(job, ray, keeping("pieces"), state.get("pieces"))
    off = state.get("off")
    if scoring.fast and off is None:
        off = prediction_errors(walk, inputs, scoring, errors)
    saved.save({"errors": errors, "off": off})
    remark = "" if off is None else in_words(off)
    return SavedScores(importances(scoring.trajectory, errors), [remark] if remark else [])
