"""What training minimises where a model learns from another one, put together from losses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..models.modules.words import Words
from .losses import (
    Logits,
    divergence,
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

    def teacher_logits(self, images: Tensor | Words) -> Tensor:
        """Return the teacher's logits, n x classes, without gradients."""
        with torch.no_grad():
            answered: Tensor = self.teacher(images)
        return answered

    def loss(self, student: Logits, targets: Tensor, teacher_logits: Tensor) -> Tensor:
        """Return the loss of a student's logits; targets are n x classes, rows of 1."""
        if self.kind == "hard":
            return hard_distillation(student, targets, teacher_logits, self.alpha)
        return soft_distillation(student, targets, teacher_logits, self.alpha, self.tau)


@dataclass(frozen=True)
class DistillationLoss:
    """The labels, and a teacher's answers beside them where there is one (eq. 10 or 11 there).

    Called with a model, images (n x channels x h x w; or texts) and targets (n x classes, rows of
    1); returns one number. Without a teacher it is the cross entropy, the mean over the tokens.
    """

    teaching: Teaching | None = None

    def __call__(self, model: nn.Module, images: Tensor | Words, targets: Tensor) -> Tensor:
        student = logits_of(model, images)
        if self.teaching is None:
            return sum_over_heads(student, targets)
        return self.teaching.loss(student, targets, self.teaching.teacher_logits(images))


@dataclass(frozen=True)
class StudentLoss:
    """CE(label) + weight · T² · KL(teacher || student) of the distributions at temperature T.

    Efficient Vision Transformers: Once-Train Optimization, section III.D.2; Hinton et al. 2015,
    section 2. A `Loss`; T² keeps the gradients' size for any T. A student with a distillation
    token learns the label with its class token and the teacher with the other one (as in DeiT,
    Touvron et al. 2021, section 4); one without learns both with the one that it has.
    """

    teacher: nn.Module
    weight: float = 1.0
    temperature: float = 3.0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        student = logits_of(model, images)
        with torch.no_grad():
            teacher_logits = logits_of(self.teacher, images).prediction
        weight, temperature = self.weight, self.temperature
        kl = divergence(student.taught, teacher_logits, temperature)
        return soft_cross_entropy(student.token, targets) + weight * temperature**2 * kl
