"""Where images come from: a name or a path, brought into a train and a test part."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import MissingExtraError, UserError
from ...progress import OnProgress, no_progress
from .held_out import chosen_of_classes
from .image_folder import read_image_folder
from .images import Dataset, Images

# What the two parts are called, in a folder or as names of zips.
TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "val", "valid", "validation")
# Where there is only one part, this share of every class is kept for testing.
TEST_SHARE = 0.2
DIGITS_SIDE = 8


def load_dataset(
    source: str, resolution: int | None = None, on_progress: OnProgress = no_progress
) -> Dataset:
    """Return the dataset that `source` names.

    "digits" (scikit-learn's 1,797 images of 8 x 8, each pixel repeated where a multiple is asked
    for); a folder that holds train and test (or val), as folders or zips of class folders; a folder
    of class folders or a zip of one, a fifth of each class kept for testing; or an .npz with
    `images` and `labels` (and `test_images`, `test_labels`). Raises UserError for anything else.
    """
    if source == "digits":
        return split(_digits(resolution))
    path = Path(source)
    if path.suffix == ".npz":
        return _of_side(_arrays(path), resolution)
    if path.is_dir():
        train, test = _part(path, TRAIN_NAMES), _part(path, TEST_NAMES)
        if train and test:
            return Dataset(
                read_image_folder(train, resolution, on_progress),
                read_image_folder(test, resolution, on_progress),
            )
    return split(read_image_folder(path, resolution, on_progress))


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


def _of_side(dataset: Dataset, resolution: int | None) -> Dataset:
    """Return arrays as they are; UserError where they are of another size than asked for."""
    side = dataset.train.pixels.shape[-1]
    if resolution not in (None, side):
        raise UserError(
            f"{dataset.train.name} holds images of {side} x {side}, and arrays are not scaled; "
            f"{resolution} x {resolution} is another size."
        )
    return dataset


def _part(folder: Path, names: tuple[str, ...]) -> Path | None:
    for name in names:
        for candidate in (folder / name, folder / f"{name}.zip"):
            if candidate.exists():
                return candidate
    return None


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
            f"the digits are 8 x 8; {resolution} x {resolution} is another size, and no multiple."
        )
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)[:, None]
    pixels = pixels.repeat(times, axis=2).repeat(times, axis=3)
    return Images(pixels, found.target.astype(np.int64), tuple("0123456789"), "digits")


def _arrays(path: Path) -> Dataset:
    """Read an .npz; no pickles, so nothing in it is executed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no .npz of plain arrays ({error}).") from None
    missing = [name for name in ("images", "labels") if name not in held]
    if missing:
        raise UserError(
            f"{path} has no array '{missing[0]}'; it needs images (uint8, n x channels x height "
            "x width or channels last) and labels, and may have test_images, test_labels and "
            "classes."
        )
    classes = _classes(held)

    def part(images: str, labels: str) -> Images:
        return Images(_channels_first(held[images]), held[labels], classes, f"{path} ({images})")

    train = part("images", "labels")
    if "test_images" not in held or "test_labels" not in held:
        return split(train)
    return Dataset(train, part("test_images", "test_labels"))


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    """Return n x channels x height x width of arrays that have their channels last, as many do."""
    grey_or_colour = (1, 3)
    last = pixels.ndim == 4 and pixels.shape[-1] in grey_or_colour
    if last and pixels.shape[1] not in grey_or_colour:
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return pixels


def _classes(held: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return the names of the classes; by default the numbers from 0 to the largest label."""
    if "classes" in held:
        return tuple(map(str, held["classes"]))
    labels = held["labels"]
    whole = labels.dtype.kind in "iu"
    return tuple(map(str, range(int(labels.max(initial=0)) + 1 if whole else 0)))
