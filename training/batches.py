"""The batches that a model is trained on, out of images in memory or on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .data.augment import Augmentation, augmented
from .data.images import Dataset, Normalisation
from .data.order import Batches, seeded
from .data.random_view import RandomView
from .data.reader import Damaged, Draw, draw_of, read_batches
from .data.stored_pixels import StoredPixels
from .plan import TrainingPlan
from .processes import ONE_PROCESS, Processes


@dataclass
class TrainingBatches:
    """Gives this process's share of every batch, from any step on.

    What is drawn follows from the plan's seed, the epoch and the step, not from how many processes
    train or read. damaged: counts the images that were skipped.
    """

    data: Dataset
    norm: Normalisation
    plan: TrainingPlan
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    processes: Processes = ONE_PROCESS
    damaged: Damaged = field(default_factory=Damaged)

    @property
    def order(self) -> Batches:
        return Batches(self.data.train, self.plan.batch, self.plan.seed, self.plan.repeats)

    def from_step(self, first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give images (n x channels x h x w, normalised) and targets (n x classes) of the steps."""
        stored = self.data.train.stored
        if stored is None:
            return self._from_memory(first, last)
        return self._from_disk(stored, first, last)

    def _from_memory(self, first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
        how = self.plan.augmentation
        for epoch, place, chosen in self.order.steps(first, last):
            members = self.processes.members_of(len(chosen))
            images = self.data.train.take(chosen[members].numpy())
            pixels = torch.from_numpy(images.array())
            labels = torch.from_numpy(images.labels)
            yield self._augmented(pixels, labels, how, epoch, place, members, len(chosen))

    def _from_disk(
        self, stored: StoredPixels, first: int, last: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        how = self.plan.augmentation
        view = RandomView(stored.view, how.area, how.flip, how.rand_augment, self.norm.mean)
        # What the view has done is not done again.
        rest = replace(how, crop=0.0, flip=False)
        labels = torch.from_numpy(self.data.train.labels)
        steps = self.order.steps(first, last)
        batches = read_batches(
            stored,
            lambda: self._draws(first, last),
            view,
            self.damaged,
            self.device.type == "cuda",
        )
        for (epoch, place, chosen), batch in zip(steps, batches, strict=True):
            members = self.processes.members_of(len(chosen))
            pixels = batch.pixels.to(self.device, non_blocking=True)
            yield self._augmented(
                pixels, labels[batch.places], rest, epoch, place, members, len(chosen)
            )

    def _draws(self, first: int, last: int) -> Iterator[list[Draw]]:
        seed, repeats = self.plan.seed, self.plan.repeats
        for epoch, place, chosen in self.order.steps(first, last):
            start = place * self.plan.batch
            members = self.processes.members_of(len(chosen))
            places = chosen[members].tolist()
            # One image that is there twice is seen in two ways.
            times = ((start + members) % repeats).tolist()
            yield [
                draw_of(image, seed, epoch, image, nth)
                for image, nth in zip(places, times, strict=True)
            ]

    def _augmented(
        self,
        pixels: Tensor,
        labels: Tensor,
        how: Augmentation,
        epoch: int,
        place: int,
        members: Tensor,
        total: int,
    ) -> tuple[Tensor, Tensor]:
        images, targets = augmented(
            pixels,
            labels,
            len(self.data.train.classes),
            how,
            self.norm,
            seeded(self.plan.seed, epoch, place),
            members=members,
            total=total,
        )
        # oneDNN and cuDNN compute convolutions on this layout: a step of a hybrid takes a fifth
        # less time, and what it computes is the same.
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        return images.to(self.device), targets.to(self.device)
