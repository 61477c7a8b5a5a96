"""What a student minimises: the labels' cross entropy, and a teacher's distribution.

Efficient Vision Transformers: Once-Train Optimization, section III.D.2; Hinton et al. 2015,
section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .losses import divergence, soft_cross_entropy
from .objective import logits_of


@dataclass(frozen=True)
class Distillation:
    """CE(label) + weight · T² · KL(teacher || student) of the distributions at temperature T.

    Called with a model, images (n x channels x h x w) and targets (n x classes, rows of 1). T²
    keeps the gradients' size whatever T is. A student with a distillation token learns the label
    with its class token and the teacher with the other one (as in DeiT, Touvron et al. 2021,
    section 4); one without learns both with the one that it has.
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
