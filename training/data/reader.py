"""Images on disk, read by several processes while a model computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from ...errors import UserError
from ...notes import note
from .order import seed_of
from .random_view import RandomView
from .stored_pixels import StoredPixels, channels_first

# Images that were skipped, named one by one; more are only counted.
MOST_NAMED = 5
# Neighbours that are tried in place of a damaged image before the data are given up.
MOST_TRIES = 100
# Batches that every process reads ahead.
AHEAD = 2
# The place of an image that is not there.
NO_IMAGE = -1


@dataclass(frozen=True)
class Draw:
    """One image to read: its place among the images, and what its random view follows from."""

    place: int
    seed: int = 0


@dataclass
class Batch:
    """Images as they were read: n x 3 x side x side, uint8, and their places among the images.

    Where an image was damaged, training has its neighbour, and so its place; testing has NO_IMAGE.
    """

    pixels: Tensor
    places: Tensor
    damaged: Sequence[str] = ()
    error: str | None = None

    def pin_memory(self) -> Batch:
        """Return it in memory that a GPU copies from; DataLoader calls this."""
        return Batch(self.pixels.pin_memory(), self.places, self.damaged, self.error)


@dataclass
class ImageReader(TorchDataset[Any]):
    """Reads one image after the other, in the process that it is sent to.

    view: how an image is varied; None: as it is tested. Errors are texts: a UserError would
    reach the user with the traceback of another process.
    """

    pixels: StoredPixels
    view: RandomView | None = None

    def __getitem__(self, draw: Draw) -> tuple[np.ndarray, int, list[str], str | None]:
        damaged: list[str] = []
        place = draw.place
        while True:
            try:
                return self._read(place, draw.seed), place, damaged, None
            except UserError as error:
                damaged.append(str(error))
                refused = self.pixels.loading.on_damaged == "refuse"
                gave_up = len(damaged) > min(MOST_TRIES, len(self.pixels) - 1)
                if self.view is None or refused or gave_up:
                    none = np.zeros(self.pixels.shape[1:], np.uint8)
                    return none, NO_IMAGE, damaged, str(error) if refused or gave_up else None
                place = (place + 1) % len(self.pixels)

    def _read(self, place: int, seed: int) -> np.ndarray:
        if self.view is None:
            return self.pixels.decoded(place)
        return channels_first(self.view.of(self.pixels.image(place), seed))


def _collated(samples: Sequence[tuple[np.ndarray, int, list[str], str | None]]) -> Batch:
    # Channels last, as Pillow has them: they are copied in one go, and normalised in less time.
    pixels = np.stack([sample[0].transpose(1, 2, 0) for sample in samples]).transpose(0, 3, 1, 2)
    places = torch.tensor([sample[1] for sample in samples])
    damaged = [words for sample in samples for words in sample[2]]
    return Batch(
        torch.from_numpy(pixels), places, damaged, next((s[3] for s in samples if s[3]), None)
    )


@dataclass
class Damaged:
    """Counts images that could not be read, and names the first ones in notes."""

    count: int = 0
    named: set[str] = field(default_factory=set)

    def add(self, found: Iterable[str]) -> None:
        for words in found:
            self.count += 1
            if words not in self.named and len(self.named) < MOST_NAMED:
                self.named.add(words)
                note(f"skipped: {words}")


def read_batches(
    pixels: StoredPixels,
    draws: Callable[[], Iterator[list[Draw]]],
    view: RandomView | None = None,
    damaged: Damaged | None = None,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Give a batch for each list of draws, in order, for any number of processes.

    At most AHEAD batches for each process wait in memory. Raises UserError for an image that cannot
    be read where such are not skipped, and where a process was killed.
    """
    workers = pixels.loading.processes
    loader: DataLoader[Any] = DataLoader(
        ImageReader(pixels, view),
        batch_sampler=_Sampler(draws),
        num_workers=workers,
        collate_fn=_collated,
        pin_memory=pin_memory,
        prefetch_factor=AHEAD if workers else None,
    )
    counted = Damaged() if damaged is None else damaged
    try:
        for batch in loader:
            if batch.error is not None:
                raise UserError(batch.error)
            counted.add(batch.damaged)
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "a process that reads images was killed, perhaps because memory ran out; give fewer "
            "`workers`, or a smaller `batch`."
        ) from None


@dataclass
class _Sampler:
    """What DataLoader asks for lists of draws."""

    draws: Callable[[], Iterator[list[Draw]]]

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.draws()


def waiting_bytes(pixels: StoredPixels, batch: int) -> int:
    """Return how much memory batches take that were read ahead, at most."""
    return max(pixels.loading.processes * AHEAD, 1) * batch * 3 * pixels.view.side**2


def draw_of(place: int, *numbers: int) -> Draw:
    """Return the draw of an image whose view follows from these numbers."""
    return Draw(place, seed_of(*numbers))
