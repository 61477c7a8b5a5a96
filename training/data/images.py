"""Labelled images: uint8 pixels, in memory or on disk, as augmentations and models take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import UserError
from .stored_pixels import StoredPixels

# A channel's mean and deviation need no more images than this: they are known to a part in a
# thousand then.
ENOUGH_FOR_NORMALISATION = 2000


@dataclass(frozen=True)
class Images:
    """n images and what they show.

    `pixels` are n x channels x height x width, uint8, an array or StoredPixels; `labels` n
    integers, indices into `classes`. Raises UserError where they do not go together.
    """

    pixels: np.ndarray | StoredPixels
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str = "images"

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8:
            raise UserError(
                f"{self.name}: pixels are {self.pixels.dtype} of shape {self.pixels.shape}; they "
                "have to be uint8, images x channels x height x width."
            )
        if self.labels.shape != (len(self.pixels),) or self.labels.dtype.kind not in "iu":
            raise UserError(
                f"{self.name}: labels are {self.labels.dtype} of shape {self.labels.shape}; there "
                f"have to be {len(self.pixels)} whole numbers, one an image."
            )
        if not len(self.pixels):
            raise UserError(f"{self.name}: there is no image.")
        object.__setattr__(self, "labels", self.labels.astype(np.int64))
        outside = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.classes)))
        if len(outside):
            place = int(outside[0])
            raise UserError(
                f"{self.name}: the label of image {place} is {int(self.labels[place])}, and there "
                f"are {len(self.classes)} classes: labels go from 0 to {len(self.classes) - 1}."
            )

    def __len__(self) -> int:
        return len(self.pixels)

    def array(self) -> np.ndarray:
        """Return the pixels as an array; decoded here where they are on disk."""
        return np.asarray(self.pixels)

    def in_memory(self) -> Images:
        """Return these images decoded, for what looks at them often; more than AUTO_BYTES stay."""
        if self.stored is None or self.stored.loading.on_disk_by_size(self.stored.nbytes):
            return self
        return replace(self, pixels=self.array())

    @property
    def stored(self) -> StoredPixels | None:
        """The pixels where they are on disk, None where they are in memory."""
        return self.pixels if isinstance(self.pixels, StoredPixels) else None

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def resolution(self) -> int:
        """Height and width of each image; raises UserError where they differ."""
        height, width = self.pixels.shape[2:]
        if height != width:
            raise UserError(f"{self.name}: images are {width} x {height}; models take squares.")
        return int(height)

    def take(self, indices: np.ndarray | Sequence[int], name: str = "") -> Images:
        """Return these images, in this order."""
        chosen = np.asarray(indices)
        return replace(
            self, pixels=self.pixels[chosen], labels=self.labels[chosen], name=name or self.name
        )

    def check_every_class_has_one(self) -> None:
        """Raise UserError naming the first class without an image: it could not be learned."""
        empty = np.flatnonzero(np.bincount(self.labels, minlength=len(self.classes)) == 0)
        if len(empty):
            raise UserError(f"{self.name}: class '{self.classes[empty[0]]}' has no image.")


@dataclass(frozen=True)
class Normalisation:
    """What is taken off each channel, and what it is divided by, of pixels from 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, images: Images) -> Normalisation:
        """Return the mean and the standard deviation of every channel over all images.

        Of images on disk, over ENOUGH_FOR_NORMALISATION of them, drawn always alike.
        """
        if images.stored is not None and len(images) > ENOUGH_FOR_NORMALISATION:
            order = np.random.default_rng(0).permutation(len(images))
            images = images.take(np.sort(order[:ENOUGH_FOR_NORMALISATION]))
        pixels = images.array() if images.stored is None else images.stored.readable()
        counts = [
            np.bincount(pixels[:, channel].reshape(-1), minlength=256)
            for channel in range(images.channels)
        ]
        values = np.arange(256) / 255
        means = [float(count @ values / count.sum()) for count in counts]
        variances = [
            float(count @ (values - mean) ** 2 / count.sum())
            for count, mean in zip(counts, means, strict=True)
        ]
        # A channel that is the same everywhere is left as it is.
        stds = [variance**0.5 or 1.0 for variance in variances]
        return cls(tuple(round(m, 4) for m in means), tuple(round(s, 4) or 1.0 for s in stds))


@dataclass(frozen=True)
class Dataset:
    """Images to train on and images to test on, of the same classes and size."""

    train: Images
    test: Images

    def __post_init__(self) -> None:
        if self.train.classes != self.test.classes:
            differing = sorted(set(self.train.classes) ^ set(self.test.classes))
            raise UserError(
                f"{self.train.name} and {self.test.name} differ in classes "
                f"({', '.join(differing[:3]) or 'in their order'})."
            )
        if self.train.pixels.shape[1:] != self.test.pixels.shape[1:]:
            raise UserError(
                f"images of {self.train.name} have shape {self.train.pixels.shape[1:]}, those of "
                f"{self.test.name} {self.test.pixels.shape[1:]}."
            )
        self.train.check_every_class_has_one()

    @property
    def normalisation(self) -> Normalisation:
        return Normalisation.of(self.train)
