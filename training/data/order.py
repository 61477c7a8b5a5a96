"""In which order images are seen: it follows from a seed, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .images import Images

# Shards that are read at once: images of so many are mixed, so a disk reads near places together.
SHARDS_AT_ONCE = 16


def seeded(*numbers: int) -> torch.Generator:
    """Return a generator whose stream belongs to these numbers alone."""
    return torch.Generator().manual_seed(seed_of(*numbers))


def seed_of(*numbers: int) -> int:
    """Return a seed, 0 to 2⁶³ - 2, that belongs to these numbers."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % (2**63 - 1)
    return mixed


def epoch_order(images: Images, seed: int, epoch: int, repeats: int = 1) -> Tensor:
    """Return the indices of the images of an epoch, as many as there are images.

    repeats: each is there so many times, one beside the other, and only the first images of the
    order are there (repeated augmentation: Hoffer et al. 2020; as DeiT uses it, an epoch is as long
    with it as without).
    """
    generator = seeded(seed, epoch)
    stored = images.stored
    if stored is None or len(stored.source.starts) == 1:
        order = torch.randperm(len(images), generator=generator)
    else:
        order = _by_shards(stored.indices, stored.source.starts, generator)
    return order if repeats == 1 else order.repeat_interleave(repeats)[: len(order)]


def _by_shards(indices: np.ndarray, starts: np.ndarray, generator: torch.Generator) -> Tensor:
    """Shuffle the shards, and then the images of SHARDS_AT_ONCE neighbours together."""
    shard = torch.from_numpy(np.searchsorted(starts, indices, side="right") - 1)
    place_of = torch.randperm(len(starts), generator=generator)
    window = place_of[shard] // SHARDS_AT_ONCE
    # Random within a window: a stable sort by window of an order that is random as a whole.
    order = torch.randperm(len(indices), generator=generator)
    return order[torch.argsort(window[order], stable=True)]


@dataclass(frozen=True)
class Batches:
    """Which images make the batches of a run: `batch` of `images` a step, over all processes."""

    images: Images
    batch: int
    seed: int
    repeats: int = 1

    @property
    def an_epoch(self) -> int:
        return max(len(self.images) // self.batch, 1)

    def place(self, step: int) -> tuple[int, int]:
        """Return the epoch of a step, and which batch of the epoch it is."""
        return divmod(step, self.an_epoch)

    def steps(self, first: int, last: int) -> Iterator[tuple[int, int, Tensor]]:
        """Give epoch, place in it, and the indices of the images, for each step."""
        order, of_epoch = torch.empty(0, dtype=torch.long), -1
        for step in range(first, last):
            epoch, place = self.place(step)
            if epoch != of_epoch:
                order = epoch_order(self.images, self.seed, epoch, self.repeats)
                of_epoch = epoch
            yield epoch, place, order[place * self.batch : (place + 1) * self.batch]
