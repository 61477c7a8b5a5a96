"""Images kept apart: some of every class, drawn from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ...errors import UserError
from .images import Images


def chosen_of_classes(images: Images, counts: Sequence[int], seed: int) -> np.ndarray:
    """Return for each image whether it is kept apart: so many of each class, drawn from the seed.

    `counts` has a number for each class, not above that of its images.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(images), dtype=bool)
    for label, count in enumerate(counts):
        of_class = rng.permutation(np.flatnonzero(images.labels == label))
        chosen[of_class[:count]] = True
    return chosen


def hold_out(images: Images, count: int, seed: int = 0) -> tuple[Images, Images]:
    """Return the images in two parts, to train on and to validate by: `count` are in the second.

    Each class gives its share of them, up to one image, and keeps one at least; the same for the
    same seed. Raises UserError for more than can be kept apart so.
    """
    sizes = np.bincount(images.labels, minlength=len(images.classes))
    spare = np.maximum(sizes - 1, 0)
    if not 0 < count <= spare.sum():
        raise UserError(
            f"{count} of the {len(images)} images of {images.name} cannot be held out, one of each "
            f"class being left to train on; use 1 to {int(spare.sum())}."
        )
    counts = _shares(sizes, spare, count)
    held = chosen_of_classes(images, counts.tolist(), seed)
    return (
        images.take(np.flatnonzero(~held), f"{images.name} (without {count} held out)"),
        images.take(np.flatnonzero(held), f"{images.name} ({count} held out)"),
    )


def some_of(images: Images, count: int, seed: int = 0) -> Images:
    """Return so many of the images, drawn without replacement; all where there are fewer.

    Of any class, in their order; the same for the same seed.
    """
    order = np.random.default_rng(seed).permutation(len(images))
    return images.take(np.sort(order[:count]))


def default_held_out(images: Images) -> int:
    """Return a tenth of the images, 10 a class at least, but never more than half of them."""
    wanted = max(len(images) // 10, 10 * len(images.classes))
    return max(min(wanted, len(images) // 2), 1)


def _shares(sizes: np.ndarray, spare: np.ndarray, count: int) -> np.ndarray:
    """Return how many each class gives: its share, rounded so that they sum up to `count`."""
    exact = sizes * (count / sizes.sum())
    counts = np.minimum(np.floor(exact).astype(int), spare)
    # What rounding left over goes to those with the largest remainders that have one to spare.
    for _ in range(count - int(counts.sum())):
        remainder = np.where(counts < spare, exact - counts, -np.inf)
        counts[int(remainder.argmax())] += 1
    return counts


def digest(images: Images) -> str:
    """Return a SHA-256 of the images' size, pixels, labels and classes, in hexadecimal.

    Of images on disk, of the names and sizes of their files in place of the pixels.
    """
    made = hashlib.sha256(repr((images.pixels.shape, images.classes)).encode())
    made.update(np.ascontiguousarray(images.labels, dtype="<i8").data)
    stored = images.stored
    if stored is not None:
        made.update(repr(stored.view).encode() + stored.source.fingerprint())
        made.update(np.ascontiguousarray(stored.indices, dtype="<i8").data)
    else:
        made.update(np.ascontiguousarray(images.pixels).data)
    return made.hexdigest()
