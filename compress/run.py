"""What every way of pruning is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..errors import UserError
from ..models import Spec
from ..progress import OnProgress, no_progress
from ..training.data.images import Dataset, Normalisation
from ..training.plan import TrainingPlan
from ..training.processes import ONE_PROCESS, Processes
from ..training.saved_run import SavedRun
from .budget import Budget
from .goal import Goal
from .nvit.redistribution import Sensitivity

if TYPE_CHECKING:
    from .any_data import AnyData


@dataclass(frozen=True)
class TrainingContext:
    """The data to train or to look at, where, and on how many processes.

    norm: of images; texts have none.
    """

    data: AnyData
    norm: Normalisation | None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    processes: Processes = ONE_PROCESS

    def images(self) -> tuple[Dataset, Normalisation]:
        """Return data and normalisation to train with; UserError for texts."""
        if not isinstance(self.data, Dataset) or self.norm is None:
            raise UserError("this takes images with a class each.")
        return self.data, self.norm


@dataclass(frozen=True)
class PruningContext:
    """One model that is to come down to targets.

    base: the unpruned model, in eval mode; ranking: what removing a group is credited with; score:
    one of the method's, "" where it has none; plan: how it is trained, if it is. two_four: sets two
    of every four weights to 0, in place. What `saved` holds, a run goes on from.
    """

    base: nn.Module
    goal: Goal
    ranking: Budget
    training: TrainingContext
    score: str
    seed: int
    saved: SavedRun
    plan: TrainingPlan | None = None
    two_four: Callable[[nn.Module], object] | None = None
    on_progress: OnProgress = no_progress

    @property
    def spec(self) -> Spec:
        return self.goal.spec


@dataclass
class PrunedRun:
    """The models of a run that is done, in the order of the targets, beside the unpruned one.

    models: each with its `spec`, whose cost was to come down (of a Mask2Former its backbone);
    sensitivities: what a unit of each structure matters and costs, None where that is not known;
    remarks: sentences for the user; figures: of each model, what the report says beside the usual;
    two_four: whether weights are 2:4; leftovers: folders that were for going on.
    """

    base: nn.Module
    models: Sequence[nn.Module]
    sensitivities: Sequence[Sensitivity] | None = None
    remarks: Sequence[str] = ()
    figures: Sequence[Mapping[str, float | None]] = ()
    two_four: bool = False
    leftovers: Sequence[str] = ()
