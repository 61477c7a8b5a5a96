"""Some of the training part, always the same: what one-shot pruning looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import UserError
from ...models.modules.words import Words
from ...training.data.augment import Augmentation, augmented
from ...training.data.texts import Texts
from ...training.inputs import model_inputs
from ..any_data import AnyData
from ..run import TrainingContext


@dataclass(frozen=True)
class Sample:
    """Images or texts of the training part in an order drawn from `seed`, on `of`'s device."""

    of: TrainingContext
    seed: int

    def inputs(self, count: int, first: int = 0) -> Tensor | Words:
        """Return `count` of them from place `first` on, as the model takes them."""
        return model_inputs(self._taken(count, first), self.of.norm).to(self.of.device)

    def images(self, count: int) -> Tensor:
        """Return the first ones, n x channels x h x w; UserError for texts."""
        found = self.inputs(count)
        if isinstance(found, Words):
            raise UserError("texts were given where images are needed.")
        return found

    def labelled(self, count: int) -> tuple[Tensor | Words, Tensor]:
        """Return the first ones and their classes, n x classes, 1 for the right one."""
        chosen = self._taken(count)
        labels, classes = torch.from_numpy(chosen.labels), len(chosen.classes)
        if isinstance(chosen, Texts):
            return self.inputs(count), torch.eye(classes)[labels].to(self.of.device)
        pixels, targets = augmented(
            torch.from_numpy(chosen.array()),
            labels,
            classes,
            Augmentation(),
            self.of.images()[1],
            torch.Generator(),
        )
        return pixels.to(self.of.device), targets.to(self.of.device)

    def _taken(self, count: int, first: int = 0) -> Any:
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(self.of.data.train), generator=generator)
        data: Any = self.of.data
        return data.train.take(order[first : first + count].numpy())


def check_enough(data: AnyData, count: int) -> None:
    """Raise UserError where the training part has fewer."""
    if count > len(data.train):
        train: Any = data.train
        what = "texts" if isinstance(train, Texts) else "images"
        raise UserError(f"{count} {what} are needed, and {train.name} has {len(train)}; use fewer.")
