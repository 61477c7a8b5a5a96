"""How an image becomes a square that a model is trained on: another one every time."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .rand_augment import Vary, rand_augment
from .view import View

if TYPE_CHECKING:
    from PIL import Image

# Szegedy et al. 2015: an area of 8 % to all of the image, at a ratio of 3/4 to 4/3.
RATIOS = (3 / 4, 4 / 3)
TRIES = 10


@dataclass(frozen=True)
class RandomView:
    """A random part of an image, at the size of `view`; then flipped and varied.

    area: the least and the greatest share of the image that the part has; None: the view itself.
    flip: half of the images are mirrored. rand_augment: RandAugment in timm's words, as
    "rand-m9-mstd0.5-inc1"; "" is none. mean: the colour, 0 to 1 by channel, of what it moves in
    from outside.
    """

    view: View
    area: tuple[float, float] | None = (0.08, 1.0)
    flip: bool = True
    rand_augment: str = ""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)

    def of(self, image: Image.Image, seed: int) -> Image.Image:
        """Return the square; the same for the same seed, wherever it is made."""
        draw = random.Random(seed)  # noqa: S311 (images are varied, nothing is secret)
        square = self.view.of(image) if self.area is None else self._part(image, draw)
        if self.flip and draw.random() < 0.5:
            from PIL import Image

            square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if not self.rand_augment:
            return square
        with _seeded(draw.getrandbits(32)):
            return self._varied(square)

    def _part(self, image: Image.Image, draw: random.Random) -> Image.Image:
        assert self.area is not None
        left, top, width, height = random_part(image.size, self.area, draw)
        part = image.crop((left, top, left + width, top + height))
        return part.resize((self.view.side, self.view.side), self.view.resampling)

    @cached_property
    def _varied(self) -> Vary:
        how = self.view.resampling
        return rand_augment(self.rand_augment, self.view.side, self.mean, how)


def random_part(
    size: tuple[int, int], area: tuple[float, float], draw: random.Random
) -> tuple[int, int, int, int]:
    """Return left, top, width and height of a random part of an image (width, height).

    The area is uniform in its range and the ratio log-uniform (Szegedy et al. 2015, section 6, as
    torchvision's RandomResizedCrop has it); where ten draws do not fit, the middle.
    """
    width, height = size
    low, high = (math.log(ratio) for ratio in RATIOS)
    for _ in range(TRIES):
        wanted = width * height * draw.uniform(*area)
        ratio = math.exp(draw.uniform(low, high))
        wide, tall = round(math.sqrt(wanted * ratio)), round(math.sqrt(wanted / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            top = draw.randint(0, height - tall)  # first, as timm: the same seed is the same part
            return draw.randint(0, width - wide), top, wide, tall
    wide, tall = width, height
    if width / height < RATIOS[0]:
        tall = round(width / RATIOS[0])
    elif width / height > RATIOS[1]:
        wide = round(height * RATIOS[1])
    return (width - wide) // 2, (height - tall) // 2, wide, tall


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let what draws from Python's and numpy's own streams draw from this seed."""
    python, arrays = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
