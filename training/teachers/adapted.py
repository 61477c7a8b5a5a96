"""A teacher that takes the student's images: normalised again, scaled, its classes in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.images import Normalisation
from .opened import Opened


class Adapted(nn.Module):
    """Images (n x channels x h x w) in the student's normalisation -> logits, n x classes.

    With pixels p from 0 to 1, x = (p - m) / s of the student becomes (p - m') / s' of the teacher,
    an affine map of each channel: x·(s / s') + (m - m') / s'. Where the teacher has three channels
    and the student one, it sees grey. Then images are scaled to the teacher's size, with
    antialiasing (bicubic values beyond black and white are not cut off, as Pillow does with bytes).

    norm: the student's; order: the teacher's class for each class of the student, None: the same.
    """

    scale: Tensor
    shift: Tensor
    order: Tensor | None

    def __init__(
        self, opened: Opened, norm: Normalisation, order: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.teacher, self.norm = opened.module, norm
        self.title, self.classes, self.made_by = opened.title, opened.classes, opened.made_by
        wanted = opened.wanted
        theirs = norm if wanted.norm is None else wanted.norm
        self.expects = replace(wanted, norm=theirs)
        mean, std = (torch.tensor(v, dtype=torch.float64) for v in (norm.mean, norm.std))
        their_mean = torch.tensor(theirs.mean, dtype=torch.float64)
        their_std = torch.tensor(theirs.std, dtype=torch.float64)
        scale, shift = std / their_std, (mean - their_mean) / their_std
        shape = (max(opened.channels, len(scale)), 1, 1)
        self.register_buffer("scale", scale.float().reshape(-1, 1, 1).expand(shape).clone())
        self.register_buffer("shift", shift.float().reshape(-1, 1, 1).expand(shape).clone())
        self.register_buffer("order", None if order is None else torch.tensor(list(order)))
        self.same_norm = bool((self.scale == 1).all()) and not bool(self.shift.any())

    def forward(self, images: Tensor) -> Tensor:
        if not self.same_norm or images.shape[1] != len(self.scale):
            images = images * self.scale + self.shift
        side, interpolation = self.expects.side, self.expects.interpolation
        if side is not None and images.shape[-2:] != (side, side):
            nearest = interpolation == "nearest"
            images = F.interpolate(
                images,
                size=(side, side),
                mode=interpolation,
                antialias=not nearest,
                align_corners=None if nearest else False,
            )
        logits: Tensor = self.teacher(images)
        return logits if self.order is None else logits[:, self.order]
