"""The scores of a model's heads, neurons and channels, by the way that was asked for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ...models.modules.spec_model import spec_of
from ...models.structures.prunable import prunable_of
from ...training.distillation import DistillationLoss
from ..nvit.importance import Importance
from ..run import PruningContext
from .joint_scores import joint_scores
from .sample import Sample
from .saved_scores import SavedScores, saved_scores
from .walk import ONE_SHOT, walk_of

if TYPE_CHECKING:
    from .options import OptinOptions
    from .trajectory_score import Scoring


def scores_of_units(
    model: nn.Module,
    context: PruningContext,
    options: OptinOptions,
    scoring: Scoring,
    sample: Sample,
) -> SavedScores:
    """Return a score of every unit that may go, by the structure's name.

    The context's `saved` keeps scores of forward passes, so that a run that was killed goes on.
    """
    if context.score == "joint":
        return SavedScores(_joint(model, context, options, sample), [])
    if context.score != "trajectory":
        return SavedScores(_by_weights(model, context, options, sample), [])
    with options.workers() as ray:
        return saved_scores(
            walk_of(model, ONE_SHOT, context.goal.only),
            sample.inputs(options.score_images),
            scoring,
            context.saved,
            lambda n, of: context.on_progress("scoring", n, of, "units"),
            ray,
        )


def _joint(
    model: nn.Module, context: PruningContext, options: OptinOptions, sample: Sample
) -> dict[str, Tensor]:
    """Return scores of units that go together; images that are fitted to do not judge."""
    fitted, judging, saved = options.reconstruct, options.score_images, context.saved
    state = saved.load() or {}
    # Other scores do not depend on these, so the run itself may go on with other ones.
    of = {"fitted": fitted, "floors": dict(context.goal.floors)}
    known = state.get("joint", {}) if state.get("of") == of else {}

    def keep(done: int, total: int, found: Mapping[str, Tensor]) -> None:
        context.on_progress("scoring", done, total, "units")
        if done == total or saved.is_due():
            saved.save({"joint": dict(found), "of": of})

    return joint_scores(
        walk_of(model, ONE_SHOT, context.goal.only),
        sample.inputs(fitted),
        sample.inputs(judging, fitted),
        options.temperature,
        context.goal.floors,
        keep,
        known,
    )


def _by_weights(
    model: nn.Module, context: PruningContext, options: OptinOptions, sample: Sample
) -> dict[str, Tensor]:
    """Return magnitude, Taylor or random scores; Taylor's take gradients, but no step."""
    score: Any = context.score
    importance = Importance(score, context.seed)
    copied = copy.deepcopy(model)
    if score == "taylor":
        images, targets = sample.labelled(options.score_images)
        DistillationLoss()(copied, images, targets).backward()
    spec = spec_of(model)
    structures = prunable_of(spec).structures(spec, True)
    importance.observe([s for s in structures if s.name in context.goal.floors], copied)
    return importance.of
