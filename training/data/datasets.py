"""Where images come from: a name or a path, brought into a train and a test part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import MissingExtraError, UserError
from ...progress import OnProgress, no_progress
from ...untrusted.arrays import read_arrays
from ...untrusted.limits import CLASSES
from .held_out import chosen_of_classes
from .image_folder import images_in_memory
from .images import Dataset, Images
from .kept_where import AUTO, Loading
from .part import Part
from .parts import TEST_NAMES, TRAIN_NAMES, find_parts, find_test_part
from .sources.source import ImageSource
from .stored_pixels import StoredPixels
from .view import View

__all__ = ["TEST_NAMES", "TRAIN_NAMES", "load_dataset", "load_test_images", "split"]

# Where there is only one part, this share of every class is kept for testing.
TEST_SHARE = 0.2
DIGITS_SIDE = 8


def load_dataset(
    source: str,
    resolution: int | None = None,
    on_progress: OnProgress = no_progress,
    *,
    view: View | None = None,
    loading: Loading = AUTO,
) -> Dataset:
    """Return the dataset that `source` names, in two parts.

    "digits" (scikit-learn's 1,797 images of 8 x 8, each pixel repeated where a multiple is asked
    for); an .npz with `images` and `labels` (and `test_images`, `test_labels`); or what
    `find_parts` reads, where a fifth of each class is kept for testing if all is one part.
    view: how images become squares; None: scaled to cover `resolution`, and the middle. Raises
    UserError for anything else.
    """
    if source == "digits":
        return split(_digits(resolution))
    if Path(source).suffix == ".npz":
        arrays = _arrays(Path(source))
        _check_side(arrays.train, resolution)
        return arrays
    view = view or (None if resolution is None else View(resolution))
    parts = find_parts(source, on_progress)
    train = _images(parts.train, view, loading, on_progress)
    if parts.test is None:
        return split(train)
    return Dataset(*_of_same_classes(train, _images(parts.test, view, loading, on_progress)))


def load_test_images(
    source: str,
    view: View,
    part: Part = "auto",
    on_progress: OnProgress = no_progress,
    *,
    loading: Loading = AUTO,
) -> Images:
    """Return the images that a model is tested on, and read no others.

    part: "auto" is the test (or val) part where there is one, and otherwise all images; "all" is
    all of a set that has no parts; "test" is the part, or the fifth of every class that
    `load_dataset` keeps for testing. The digits always have parts.
    """
    if source == "digits":
        return split(_digits(view.side)).test
    if Path(source).suffix == ".npz":
        return _test_arrays(Path(source), view.side, part)
    test = find_test_part(source, on_progress)
    if test is not None:
        if part == "all":
            raise UserError(
                f"{source} has a part to test on and others; give the folder of one as `data`."
            )
        return _images(test, view, loading, on_progress)
    parts = find_parts(source, on_progress)
    images = _images(parts.train, view, loading, on_progress)
    return split(images).test if part == "test" else images


def _of_same_classes(train: Images, test: Images) -> tuple[Images, Images]:
    """Return both, with the classes of the larger part where classes are plain numbers.

    Shards say a class by its number alone; the last classes may have no image in a small part.
    """
    longer = max(train.classes, test.classes, key=len)
    if longer == tuple(map(str, range(len(longer)))):
        numbers = longer[: len(train.classes)], longer[: len(test.classes)]
        if numbers == (train.classes, test.classes):
            return replace(train, classes=longer), replace(test, classes=longer)
    return train, test


def _images(
    source: ImageSource, view: View | None, loading: Loading, on_progress: OnProgress
) -> Images:
    """Return a source's images in memory, or on disk where they are to stay there."""
    if view is None:
        if loading.keep == "disk":
            raise UserError(f"{source.name}: give a `resolution` to bring all to one size.")
        return images_in_memory(source, None, on_progress)
    pixels = StoredPixels.of(source, view, loading)
    if not loading.on_disk(pixels.nbytes):
        return images_in_memory(source, view, on_progress)
    return Images(pixels, np.asarray(source.labels), source.classes, source.name)


def split(images: Images, seed: int = 0) -> Dataset:
    """Return the images in two parts, TEST_SHARE of every class in the second, always the same."""
    images.check_every_class_has_one()
    sizes = np.bincount(images.labels, minlength=len(images.classes)).tolist()
    chosen = chosen_of_classes(images, [round(TEST_SHARE * size) for size in sizes], seed)
    if not chosen.any():
        raise UserError(f"{images.name} has too few images to keep some for testing.")
    return Dataset(
        images.take(np.flatnonzero(~chosen), f"{images.name} (train)"),
        images.take(np.flatnonzero(chosen), f"{images.name} (test)"),
    )


def _check_side(images: Images, resolution: int | None) -> None:
    """Raise UserError where arrays are of another size than asked for."""
    side = images.pixels.shape[-1]
    if resolution not in (None, side):
        raise UserError(
            f"{images.name} holds images of {side} x {side}, and arrays are not scaled; "
            f"{resolution} x {resolution} is another size (the model asks for it, or `resolution`)."
        )


def _digits(resolution: int | None) -> Images:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtraError(
            "validate", "the digits come with scikit-learn, which is not installed:"
        ) from None
    found = load_digits()
    times, rest = divmod(resolution or DIGITS_SIDE, DIGITS_SIDE)
    if rest:
        raise UserError(
            f"the digits are 8 x 8; {resolution} x {resolution} is another size, and no multiple "
            "(the model asks for it, or `resolution`)."
        )
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)[:, None]
    pixels = pixels.repeat(times, axis=2).repeat(times, axis=3)
    return Images(pixels, found.target.astype(np.int64), tuple("0123456789"), "digits")


def _test_arrays(path: Path, side: int, part: Part) -> Images:
    """Return what an .npz has to test on: see `load_test_images`."""
    train, test = _parts_of_arrays(path)
    if test is not None and part == "all":
        raise UserError(f"{path} has images to train on and to test on, so `part` is test.")
    chosen = test or (split(train).test if part == "test" else train)
    _check_side(chosen, side)
    return chosen


def _arrays(path: Path) -> Dataset:
    train, test = _parts_of_arrays(path)
    return split(train) if test is None else Dataset(train, test)


def _parts_of_arrays(path: Path) -> tuple[Images, Images | None]:
    """Read an .npz; no pickles, so nothing in it is executed."""
    held = read_arrays(path)
    missing = [name for name in ("images", "labels") if name not in held]
    if missing:
        raise UserError(
            f"{path} has no array '{missing[0]}'; it needs images (uint8, n x channels x height "
            "x width or channels last) and labels, and may have test_images, test_labels and "
            "classes."
        )
    classes = _classes(path, held)

    def part(images: str, labels: str) -> Images:
        return Images(_channels_first(held[images]), held[labels], classes, f"{path} ({images})")

    train = part("images", "labels")
    if "test_images" not in held or "test_labels" not in held:
        return train, None
    return train, part("test_images", "test_labels")


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    """Return n x channels x height x width of arrays that have their channels last, as many do."""
    grey_or_colour = (1, 3)
    last = pixels.ndim == 4 and pixels.shape[-1] in grey_or_colour
    if last and pixels.shape[1] not in grey_or_colour:
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return pixels


def _classes(path: Path, held: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return the names of the classes; by default the numbers from 0 to the largest label."""
    if "classes" in held:
        return tuple(map(str, held["classes"]))
    labels = held["labels"]
    whole = labels.dtype.kind in "iu"
    if whole:
        CLASSES.check(int(labels.max(initial=0)) + 1, f"{path}: the number of its classes is")
    return tuple(map(str, range(int(labels.max(initial=0)) + 1 if whole else 0)))
