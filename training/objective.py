"""What training minimises, put together from its losses (Yang et al. 2023 (NViT), section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..models.modules.words import Words
from .losses import Logits, full_distillation, hard_distillation, soft_cross_entropy


@dataclass(frozen=True)
class Objective:
    """α·L_full + L_CNN, as far as there is a full model and a CNN teacher.

    Called with a model, images (n x channels x h x w; or texts) and targets (n x classes, rows of
    1); returns one number. `teacher` gives the labels of eq. 8, `full` the logits of eq. 9 at the
    temperature `tau`; without a teacher L_CNN is the cross entropy with the targets alone.
    """

    teacher: nn.Module | None = None
    full: nn.Module | None = None
    alpha: float = 1.0
    tau: float = 3.0

    def __call__(self, model: nn.Module, images: Tensor | Words, targets: Tensor) -> Tensor:
        student = logits_of(model, images)
        if self.teacher is None:
            loss = sum_over_heads(student, targets)
        else:
            with torch.no_grad():
                said = self.teacher(images)
            loss = hard_distillation(student, targets, said)
        if self.full is not None and self.alpha:
            with torch.no_grad():
                full = logits_of(self.full, images)
            loss = loss + self.alpha * full_distillation(student, full, self.tau)
        return loss


def sum_over_heads(student: Logits, targets: Tensor) -> Tensor:
    """Return the cross entropy of the class token's logits, averaged with the other token's."""
    loss = soft_cross_entropy(student.token, targets)
    if student.distilled is not None:
        loss = (loss + soft_cross_entropy(student.distilled, targets)) / 2
    return loss


def logits_of(model: nn.Module, images: Tensor | Words) -> Logits:
    """Return the logits of each head that the model has."""
    forward_heads: Callable[[Any], tuple[Tensor, ...]] | None
    forward_heads = getattr(model, "forward_heads", None)
    if forward_heads is None:
        return Logits(model(images))
    return Logits(*forward_heads(images))
