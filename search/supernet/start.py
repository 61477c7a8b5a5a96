"""What a supernet's training starts from: its space, its images in parts, its first weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...errors import UserError
from ...models import create_model
from ...models.inheritance.inherited import inherited
from ...models.modules.initial import DEFAULT_NORM_EPS
from ...progress import OnProgress
from ...spaces.registry import search_space_from_dict
from ...training.data.datasets import load_dataset
from ...training.data.held_out import default_held_out, digest, hold_out
from ...training.data.images import Dataset, Images, Normalisation
from ...training.data.kept_where import AUTO, Loading
from ...training.fit import check_batch, check_fits
from ...training.model_folder import normalisation_for
from .folder import SupernetRecord

if TYPE_CHECKING:
    from torch import nn

    from ...spaces.space import SearchSpace
    from ...training.plan import TrainingPlan


@dataclass(frozen=True)
class Start:
    """The space, fitted to the images; the largest model; images to train on and held out.

    data_digest is of both together; seed is that of the split.
    """

    space: SearchSpace
    model: nn.Module
    data: Dataset
    held_out: Images
    norm: Normalisation
    source: str
    data_digest: str
    seed: int

    def record(self, options: Mapping[str, Any]) -> SupernetRecord:
        """Return what is kept beside the weights; options: those of training, as JSON values."""
        count = len(self.held_out)
        return SupernetRecord(self.space, options, count, self.seed, self.source, self.data_digest)


def started(
    space: SearchSpace,
    source: str,
    validation: int | None,
    checkpoint: Path | None,
    plan: TrainingPlan,
    on_progress: OnProgress,
    loading: Loading = AUTO,
) -> Start:
    """Read images and weights; raises UserError where they do not go together."""
    largest: Any = space.supernet_spec()
    whole = load_dataset(source, largest.resolution, on_progress, loading=loading)
    space = fitted_space(space, whole.train)
    seed = plan.seed % 2**63
    train, held_out = hold_out(whole.train, validation or default_held_out(whole.train), seed)
    # What was held out is looked at for every subnet.
    held_out = held_out.in_memory()
    data = Dataset(train, whole.test)
    check_batch(data, plan.batch)
    norm = normalisation_for(checkpoint, data)
    model: Any = largest_model(space, checkpoint, plan.seed)
    check_fits(model.spec, train, norm)
    return Start(space, model, data, held_out, norm, source, digest(whole.train), seed)


def fitted_space(space: SearchSpace, images: Images) -> SearchSpace:
    """Return the space with the images' classes and channels."""
    fields = {"classes": len(images.classes), "in_channels": images.channels}
    return search_space_from_dict({**space.to_dict(), **fields}, f"the space '{space.name}'")


def largest_model(space: SearchSpace, checkpoint: Path | None, seed: int) -> nn.Module:
    """Return the model that holds all of the space's, with the checkpoint's weights or new ones.

    Raises UserError where the checkpoint is of another model, and for a family whose weights are
    not inherited.
    """
    torch.manual_seed(seed)
    spec: Any = space.supernet_spec()
    made: Any = create_model(spec, checkpoint=checkpoint)
    eps = getattr(made.spec, "norm_eps", None)
    if checkpoint and getattr(spec, "norm_eps", eps) is None and eps != DEFAULT_NORM_EPS:
        raise UserError(
            f"the checkpoint '{checkpoint}' has layer norms with an epsilon of {eps}, the models "
            f"of the space '{space.name}' {DEFAULT_NORM_EPS}; write \"norm_eps\": {eps} into the "
            "space's file."
        )
    try:
        inherited(made.spec, space.spec(space.largest()))
    except UserError as error:
        of = f"the checkpoint '{checkpoint}'" if checkpoint else "a space of this family"
        raise UserError(f"the space '{space.name}' cannot be trained from {of}: {error}") from None
    return made
