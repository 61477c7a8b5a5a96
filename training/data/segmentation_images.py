"""Images for segmentation: a folder of them, with or without masks of class indices beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...models.checks import shown
from .image_file import opened_image
from .kept_where import MOST_BYTES
from .sources.source import MOST_FILE_BYTES, SUFFIXES
from .view import square_of

# The index that no class has; in masks, pixels that do not count (Cityscapes, ADE20K).
IGNORED = 255
# Of all images, the share that is kept for testing.
TEST_SHARE = 0.2
# What an image and its mask may have at the end of their names, in Cityscapes' way.
_ENDINGS = ("_leftImg8bit", "_gtFine_labelTrainIds", "_labelTrainIds")


@dataclass(frozen=True)
class SegmentationImages:
    """Files of images, read when asked for; `masks` has one each, or is empty."""

    folder: Path
    images: tuple[Path, ...]
    masks: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Sequence[int]) -> SegmentationImages:
        """Return these images, in this order."""
        masks = tuple(self.masks[n] for n in indices) if self.masks else ()
        return replace(self, images=tuple(self.images[n] for n in indices), masks=masks)

    def pixels(self, resolution: int) -> np.ndarray:
        """Return n x 3 x resolution x resolution, uint8: scaled to cover it, and the middle.

        Raises UserError for an image that cannot be read, and for more than memory is allowed.
        """
        needed = len(self) * 3 * resolution**2
        if needed > MOST_BYTES:
            raise UserError(
                f"{len(self)} images of {resolution} x {resolution} take {needed / 2**30:.0f} GiB, "
                f"more than the {MOST_BYTES / 2**30:.0f} that are kept in memory; use fewer."
            )
        found = np.empty((len(self), 3, resolution, resolution), dtype=np.uint8)
        for nth, path in enumerate(self.images):
            image = opened_image(self.folder, self._name(path), _bytes_of(path), "RGB")
            found[nth] = np.asarray(square_of(image, resolution)).transpose(2, 0, 1)
        return found

    def classes_of(
        self, nth: int, resolution: int, classes: int, zero_is_none: bool = False
    ) -> np.ndarray:
        """Return the nth mask as the image is cut: resolution x resolution indices, or IGNORED.

        zero_is_none: 0 is not a class, and 1 the first (transformers' `do_reduce_labels`). Raises
        UserError for a mask that is not an image of indices, of another size than the image, and an
        index that is neither below `classes` nor IGNORED.
        """
        path, name = self.masks[nth], self._name(self.masks[nth])
        mask = opened_image(self.folder, name, _bytes_of(path))
        if mask.mode not in ("P", "L", "1", "I", "I;16"):
            raise UserError(
                f"{self.folder}: {shown(name)} is a picture of mode {mask.mode}; a mask has one "
                "channel of class indices."
            )
        image = opened_image(self.folder, self._name(self.images[nth]), _bytes_of(self.images[nth]))
        if mask.size != image.size:
            raise UserError(
                f"{self.folder}: {shown(name)} is {mask.width} x {mask.height}, and its image is "
                f"{image.width} x {image.height}."
            )
        found = np.asarray(square_of(mask, resolution, nearest=True)).astype(np.int64)
        if zero_is_none:
            found = np.where((found == 0) | (found == IGNORED), IGNORED, found - 1)
        wrong = found[(found != IGNORED) & ((found < 0) | (found >= classes))]
        if len(wrong):
            raise UserError(
                f"{self.folder}: {shown(name)} has the class {int(wrong[0])}, and the model's go "
                f"from 0 to {classes - 1} ({IGNORED} does not count)."
            )
        return found

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def find_segmentation_images(folder: str | Path) -> SegmentationImages:
    """Return the images under a folder; with images/ and masks/ in it, each with its mask.

    A mask is the PNG at the same place, of the same name but for its ending. Raises UserError
    where there is no image, and naming the first image that has no mask.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"'{folder}' is not a folder; for segmentation give a folder of images, or one that "
            "holds images/ and masks/."
        )
    has_masks = (folder / "images").is_dir() and (folder / "masks").is_dir()
    top = folder / "images" if has_masks else folder
    images = _files(top, SUFFIXES)
    if not images:
        raise UserError(f"'{top}' has no images ({', '.join(sorted(SUFFIXES))}).")
    if not has_masks:
        return SegmentationImages(folder, tuple(images))
    masks = folder / "masks"
    by_key = {_key(path, masks): path for path in _files(masks, frozenset({".png"}))}
    for path in images:
        if _key(path, top) not in by_key:
            raise UserError(
                f"{folder}: {shown(path.relative_to(folder).as_posix())} has no mask of that name "
                "(.png) under masks/."
            )
    return SegmentationImages(
        folder, tuple(images), tuple(by_key[_key(path, top)] for path in images)
    )


def split_segmentation_images(
    images: SegmentationImages, seed: int = 0
) -> tuple[SegmentationImages, SegmentationImages]:
    """Return the images in two parts, TEST_SHARE (one at least) in the second, always the same."""
    if len(images) < 2:
        raise UserError(f"'{images.folder}' has one image; some are scored on, others tested.")
    order = np.random.default_rng(seed).permutation(len(images))
    count = max(1, round(TEST_SHARE * len(images)))
    test, train = np.sort(order[:count]), np.sort(order[count:])
    return images.take(train.tolist()), images.take(test.tolist())


def _files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _key(path: Path, top: Path) -> str:
    name = path.relative_to(top).with_suffix("").as_posix()
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error.strerror}).") from None
