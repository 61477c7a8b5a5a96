"""What NViT's training minimises, while a model shrinks and afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...training.losses import (
    Logits,
    cnn_distillation,
    full_distillation,
    logits_of,
    soft_cross_entropy,
)


@dataclass(frozen=True)
class NViTObjective:
    """α·L_full + L_CNN, as far as there is a full model and a CNN teacher.

    Yang et al. 2023 (NViT), section 3.3, with no factor of ours: L_CNN is eq. 8, a sum, and L_full
    eq. 9 without τ². A `Loss`: called with a model, images (n x channels x h x w) and targets (n x
    classes, rows of 1).

    teacher: names the classes of eq. 8; without one the labels are learned in its place too.
    full: the unpruned model, whose logits eq. 9 is about.
    """

    teacher: nn.Module | None = None
    full: nn.Module | None = None
    alpha: float = 9.0
    tau: float = 3.0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        student = logits_of(model, images)
        loss = self._cnn(student, images, targets)
        if self.full is None or not self.alpha:
            return loss
        with torch.no_grad():
            full = logits_of(self.full, images)
        return self.alpha * full_distillation(student, full, self.tau) + loss

    def _cnn(self, student: Logits, images: Tensor, targets: Tensor) -> Tensor:
        if self.teacher is not None:
            with torch.no_grad():
                teacher_logits = self.teacher(images)
            return cnn_distillation(student, targets, teacher_logits)
        loss = soft_cross_entropy(student.token, targets)
        if student.distilled is not None:
            loss = loss + soft_cross_entropy(student.distilled, targets)
        return loss
