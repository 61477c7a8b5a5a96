"""RandAugment (Cubuk et al. 2020) as timm has it, which DeiT trains with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import MissingExtraError

if TYPE_CHECKING:
    from PIL import Image

Vary = Callable[["Image.Image"], "Image.Image"]


def rand_augment(
    words: str, side: int, mean: tuple[float, ...], interpolation: Image.Resampling
) -> Vary:
    """Return what varies an image of `side` pixels; it draws from Python's and numpy's streams.

    words: timm's, as "rand-m9-mstd0.5-inc1". mean: the colour, 0 to 1 by channel, of what is moved
    in from outside.
    """
    settings = {
        # As timm sets them: how far an image is shifted, and what is seen beside it.
        "translate_const": int(side * 0.45),
        "img_mean": tuple(min(255, round(255 * value)) for value in mean),
        "interpolation": interpolation,
    }
    found: Any = timms_rand_augment()(words, settings)
    for op in found.ops:
        if op.name.startswith("Posterize"):
            op.aug_fn = partial(_posterized, op.aug_fn)
    varied: Vary = found
    return varied


def timms_rand_augment() -> Callable[..., Any]:
    """Return timm's maker of RandAugment; MissingExtraError where timm is not installed."""
    try:
        from timm.data.auto_augment import rand_augment_transform
    except ImportError:
        raise MissingExtraError(
            "recipes",
            'RandAugment is timm\'s, which is not installed (`rand_augment` "" leaves it out):',
        ) from None
    found: Callable[..., Any] = rand_augment_transform
    return found


def _posterized(
    posterize: Callable[..., Image.Image], image: Image.Image, bits: int, **rest: Any
) -> Image.Image:
    """Return an image of so many bits a channel.

    At its full strength timm keeps none. Pillow made that black up to version 12; 13 raises an
    error, which would end a run.
    """
    if bits > 0:
        return posterize(image, bits, **rest)
    return image.point(lambda value: 0)
