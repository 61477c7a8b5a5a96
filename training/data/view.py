"""How an image becomes the square that a model is tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...errors import UserError, did_you_mean

if TYPE_CHECKING:
    from PIL import Image

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


@dataclass(frozen=True)
class View:
    """Scale an image and cut out its middle, as timm and torchvision do.

    side: pixels of the square. crop_pct: what share of the scaled image's shorter side the square
    is. mode: "crop", or "squash": scaled to a square without keeping its ratio, as some processors
    of Hugging Face do, before the middle is cut out. Raises UserError for what is out of range.
    """

    side: int
    crop_pct: float = 1.0
    interpolation: str = "bicubic"
    mode: Literal["crop", "squash"] = "crop"

    def __post_init__(self) -> None:
        if self.side < 1:
            raise UserError(f"`resolution` is {self.side}; it has to be 1 or more.")
        if not 0 < self.crop_pct <= 1:
            raise UserError(f"`crop_pct` is {self.crop_pct}; it has to be above 0 and at most 1.")
        if self.interpolation not in INTERPOLATIONS:
            hint = did_you_mean(self.interpolation, INTERPOLATIONS)
            raise UserError(f"`interpolation` '{self.interpolation}' is unknown{hint}.")

    @property
    def resampling(self) -> Image.Resampling:
        """Pillow's name of the interpolation."""
        from PIL import Image

        return Image.Resampling[self.interpolation.upper()]

    def of(self, image: Image.Image) -> Image.Image:
        """Return the square of an image."""
        how = self.resampling
        scaled = int(self.side / self.crop_pct)
        if self.mode == "crop":
            return middle_of(covering(image, scaled, how), self.side)
        if image.size != (scaled, scaled):
            image = image.resize((scaled, scaled), how)
        return middle_of(image, self.side)

    def in_words(self) -> str:
        """Return e.g. "scaled to 256 pixels (bicubic), and the middle 224 x 224 of them"."""
        scaled = int(self.side / self.crop_pct)
        size = f"{scaled} x {scaled}" if self.mode == "squash" else str(scaled)
        cut = f", and the middle {self.side} x {self.side} of them" if scaled != self.side else ""
        return f"scaled to {size} pixels ({self.interpolation}){cut}"


def square_of(image: Image.Image, side: int, nearest: bool = False) -> Image.Image:
    """Return the image scaled to cover a square, and the square's middle.

    nearest: no pixel between two others is made up, as for an image of class indices.
    """
    return View(side, interpolation="nearest" if nearest else "bicubic").of(image)


def covering(image: Image.Image, side: int, how: Image.Resampling) -> Image.Image:
    """Return the image scaled so that its shorter side is `side`; the longer one is rounded down.

    So rounds torchvision's Resize.
    """
    shorter = min(image.size)
    if shorter == side:
        return image
    width, height = (
        side if length == shorter else int(side * length / shorter) for length in image.size
    )
    return image.resize((width, height), how)


def middle_of(image: Image.Image, side: int) -> Image.Image:
    """Return the square in the middle, rounded as torchvision's CenterCrop rounds."""
    if image.size == (side, side):
        return image
    left, top = (round((length - side) / 2) for length in image.size)
    return image.crop((left, top, left + side, top + side))
