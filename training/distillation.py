"""What training minimises where a model learns from another one, put together from losses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..models.modules.words import Words
from .losses import (
    Logits,
    divergence,
    full_distillation,
    hard_distillation,
    logits_of,
    soft_cross_entropy,
    soft_distillation,
    sum_over_heads,
)

# α and τ of Touvron et al. 2021 (DeiT), as Kong et al. do not give theirs.
ALPHAS = {"soft": 0.1, "hard": 0.5}
TAU = 3.0


@dataclass(frozen=True)
class Teaching:
    """A teacher, and how its answers count beside the labels (Kong et al. 2025, eq. 10 and 11).

    kind: "soft", its distribution at the temperature `tau`, or "hard", the class that it names.
    alpha: the weight of its answers; that of the labels is 1 - alpha.
    """

    teacher: nn.Module
    kind: str = "hard"
    alpha: float = ALPHAS["hard"]
    tau: float = TAU

    def said(self, images: Tensor) -> Tensor:
        """Return the teacher's logits, n x classes, without gradients."""
        with torch.no_grad():
            answered: Tensor = self.teacher(images)
        return answered

    def loss(self, student: Logits, targets: Tensor, said: Tensor) -> Tensor:
        """Return the loss of a student's logits; targets are n x classes, rows of 1."""
        if self.kind == "hard":
            return hard_distillation(student, targets, said, self.alpha)
        return soft_distillation(student, targets, said, self.alpha, self.tau)


@dataclass(frozen=True)
class DistillationLoss:
    """α·L_full + L_CNN, as far as there is a full model and a CNN teacher (NViT, section 3.3).

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


@dataclass(frozen=True)
class StudentLoss:
    """CE(label) + weight · T² · KL(teacher || student) of the distributions at temperature T.

    Efficient Vision Transformers: Once-Train Optimization, section III.D.2; Hinton et al. 2015,
    section 2. A `Loss`; T² keeps the gradients' size whatever T is. A student with a distillation
    token learns the label with its class token and the teacher with the other one (as in DeiT,
    Touvron et al. 2021, section 4); one without learns both with the one that it has.
    """

    teacher: nn.Module
    weight: float = 1.0
    temperature: float = 3.0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        student = logits_of(model, images)
        with torch.no_grad():
            said = logits_of(self.teacher, images).prediction
        taught = student.token if student.distilled is None else student.distilled
        return soft_cross_entropy(student.token, targets) + self.weight * divergence(
            taught, said, self.temperature
        )
