"""What a batch of images goes through before a model sees it: the augmentations of DeiT that small
images need.

All act on whole batches and draw from the generator that they are given, so that a run that is
resumed sees what it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .images import Normalisation


@dataclass(frozen=True)
class Augmentation:
    """How images are varied (Touvron et al. 2021, table 9).

    `crop` times its width is put around an image before a random crop of its size; `flip` mirrors
    half of them; with `erase` a rectangle of so many images becomes noise (Zhong et al. 2020);
    `mixup` and `cutmix` are the parameters of the Beta distribution that pairs are mixed by (Zhang
    et al. 2018, Yun et al. 2019; 0 is off; where both are on, each batch draws one); `smoothing` is
    the share of a label spread over all classes.

    Images that stay on disk are cropped before they are scaled: `area` is the share of the image
    that a random part has, least and greatest (None: the middle, as for testing), in the place of
    `crop`; and varied by `rand_augment`, in timm's words ("" is not at all).
    """

    crop: float = 0.0
    flip: bool = False
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    smoothing: float = 0.0
    area: tuple[float, float] | None = None
    rand_augment: str = ""


# How often a rectangle is drawn that does not fit, as timm has it.
ERASE_TRIES = 10
# The share of an image that a random part has, as for ImageNet since Szegedy et al. 2015.
AREA = (0.08, 1.0)
AUGMENTATIONS = {
    "none": Augmentation(),
    "light": Augmentation(1 / 8, True, smoothing=0.1, area=AREA),
    "deit": Augmentation(1 / 8, True, erase=0.25, mixup=0.8, cutmix=1.0, smoothing=0.1, area=AREA),
    # All of table 9. RandAugment takes images of Pillow's, so images are read from disk for it.
    "randaugment": Augmentation(
        1 / 8,
        True,
        erase=0.25,
        mixup=0.8,
        cutmix=1.0,
        smoothing=0.1,
        area=AREA,
        rand_augment="rand-m9-mstd0.5-inc1",
    ),
}


def augmented(
    pixels: Tensor,
    labels: Tensor,
    classes: int,
    how: Augmentation,
    norm: Normalisation,
    generator: torch.Generator,
    *,
    members: Tensor | None = None,
    total: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return float images (n x channels x h x w, normalised) and targets (n x classes, rows of 1).

    `pixels` are uint8, `labels` n integers. Where they are a share of a batch of `total` images,
    `members` are their places in it: what is drawn is drawn for the whole batch, so that several
    processes do together what one would do. A share is mixed within itself: image k of n with image
    n - 1 - k.
    """
    total = len(pixels) if total is None else total
    members = torch.arange(len(pixels)) if members is None else members
    if how.crop:
        padding = round(how.crop * pixels.shape[-1])
        shifts = torch.randint(0, 2 * padding + 1, (2, total), generator=generator)
        pixels = cropped(pixels, padding, shifts[:, members])
    if how.flip:
        mirrored = (torch.rand(total, generator=generator) < 0.5)[members].to(pixels.device)
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels)
    images = normalised(pixels, norm)
    if how.erase:
        images = erased(images, how.erase, torch.rand(total, 2, generator=generator)[members])
    targets = F.one_hot(labels, classes).float().to(images.device)
    targets = targets * (1 - how.smoothing) + how.smoothing / classes
    if how.mixup or how.cutmix:
        images, targets = mixed(images, targets, how, generator)
    return images, targets


def normalised(pixels: Tensor, norm: Normalisation) -> Tensor:
    """Return uint8 pixels as floats, (pixel / 255 - mean) / std by channel."""
    mean = torch.tensor(norm.mean, device=pixels.device)
    std = torch.tensor(norm.std, device=pixels.device)
    if not pixels.is_contiguous(memory_format=torch.channels_last):
        return pixels.float().div_(255).sub_(mean[:, None, None]).div_(std[:, None, None])
    # By rows of all channels: three values are too few for a loop.
    count, channels, height, width = pixels.shape
    rows = pixels.permute(0, 2, 3, 1).reshape(count, height, width * channels).float()
    rows = rows.div_(255).sub_(mean.repeat(width)).div_(std.repeat(width))
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def cropped(pixels: Tensor, padding: int, shifts: Tensor) -> Tensor:
    """Return a crop of every image's size from the image with black around it.

    shifts: 2 x n, rows and columns from the top left corner, 0 to twice the padding.
    """
    count, channels, height, width = pixels.shape
    padded = F.pad(pixels, (padding,) * 4)
    rows = shifts[0][:, None] + torch.arange(height)
    columns = shifts[1][:, None] + torch.arange(width)
    image, channel = torch.arange(count)[:, None, None, None], torch.arange(channels)[:, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def erased(images: Tensor, share: float, draws: Tensor) -> Tensor:
    """Return images of which `share` have a rectangle of noise (Zhong et al. 2020, algorithm 1).

    draws: n x 2, uniform from 0 to 1: whether, and the seed of the rectangle and its noise.
    """
    images = images.clone()
    for place in torch.nonzero(draws[:, 0] < share).flatten().tolist():
        own = torch.Generator().manual_seed(int(draws[place, 1] * 2**24))
        found = _rectangle(images.shape[-2], images.shape[-1], own)
        if found is not None:
            y, x, high, wide = found
            noise = torch.randn(images.shape[1], high, wide, generator=own)
            images[place, :, y : y + high, x : x + wide] = noise.to(images.device)
    return images


def _rectangle(
    height: int, width: int, generator: torch.Generator
) -> tuple[int, int, int, int] | None:
    """Return top, left, height and width of 2 % to a third of an image, at a ratio of 0.3 to 10/3.

    Area uniform and ratio log-uniform, as timm draws them; None where ten draws do not fit.
    """
    for draws in torch.rand(ERASE_TRIES, 4, generator=generator):
        size, shape, top, left = draws.tolist()
        area = (0.02 + size * (1 / 3 - 0.02)) * height * width
        ratio = 0.3 * (1 / 0.09) ** shape
        high, wide = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if high < height and wide < width:
            return int(top * (height - high + 1)), int(left * (width - wide + 1)), high, wide
    return None


def mixed(
    images: Tensor, targets: Tensor, how: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return every image mixed with the one in the batch's reverse order, and so their targets.

    CutMix's box has its middle anywhere in the image and ends at its border (Yun et al. 2019, eq. 2
    and their code, which DeiT takes by timm); targets follow from the area that it has then.
    """
    cut = bool(how.cutmix) and (not how.mixup or torch.rand((), generator=generator).item() < 0.5)
    share = _beta(how.cutmix if cut else how.mixup, generator)
    others, other_targets = images.flip(0), targets.flip(0)
    if cut:
        height, width = images.shape[-2:]
        side = (1 - share) ** 0.5
        row, column = torch.rand(2, generator=generator).tolist()
        top, bottom = _span(int(row * height), int(side * height), height)
        left, right = _span(int(column * width), int(side * width), width)
        images = images.clone()
        images[:, :, top:bottom, left:right] = others[:, :, top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / (height * width)
    else:
        images = share * images + (1 - share) * others
    return images, share * targets + (1 - share) * other_targets


def _span(middle: int, length: int, end: int) -> tuple[int, int]:
    """Return where `length` pixels around a middle begin and end, within 0 to `end`."""
    return max(middle - length // 2, 0), min(middle + (length + 1) // 2, end)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """Draw from Beta(alpha, alpha), as torch.distributions does but from a generator."""
    first, second = torch._standard_gamma(torch.full((2,), alpha), generator=generator).tolist()
    return first / (first + second) if first + second > 0 else 0.5
