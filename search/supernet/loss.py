"""What training a supernet minimises: the loss of subnets that are drawn again for every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...models.spec import Spec
from ...training.distillation import Teaching
from ...training.losses import Logits, full_distillation, logits_of, sum_over_heads
from .supernet import Supernet

if TYPE_CHECKING:
    from ...spaces.space import SearchSpace


@dataclass(frozen=True)
class SupernetLoss:
    """E over subnets of their loss, estimated by one subnet a step (Kong et al. 2025, eq. 4, 5).

    The step's subnets depend on `seed` and on what `step` returns, and on nothing else: a run that
    is resumed draws what it would have drawn, and all processes of a run draw the same. What of the
    supernet a subnet does not have gets no gradient, or one of zero where it has a part of the same
    tensor; the optimizer's averages and its weight decay go on there, as in AutoFormer.

    sandwich: take the largest and the smallest subnet in every step, and so many random ones, and
    the mean of their losses (Yu et al. 2020 (BigNAS), section 3.1, where it is their sum). The
    activations of all are kept until the step's one backward pass.
    distill_in_place: the others learn the largest's answers instead of the labels (there, inplace
    distillation). teaching: a teacher's answers count beside the labels (eq. 10 and 11).
    """

    space: SearchSpace
    step: Callable[[], int]
    seed: int = 0
    sandwich: int | None = None
    distill_in_place: bool = False
    teaching: Teaching | None = None

    def __post_init__(self) -> None:
        if self.distill_in_place and self.sandwich is None:
            raise ValueError("there is no largest subnet to learn from without the sandwich")

    def specs(self) -> list[Spec]:
        """Return the subnets of this step; with the sandwich the largest, the smallest, others."""
        count = 1 if self.sandwich is None else self.sandwich
        rng = np.random.default_rng([self.seed % 2**63, self.step()])
        drawn = list(self.space.sample(rng, count)) if count else []
        if self.sandwich is not None:
            drawn = [self.space.largest(), self.space.smallest(), *drawn]
        return [self.space.spec(candidate) for candidate in drawn]

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of the supernet `model`.

        Images are n x channels x h x w, targets n x classes, rows of 1.
        """
        assert isinstance(model, Supernet), "the model of this loss is a supernet"
        teacher_logits = None if self.teaching is None else self.teaching.teacher_logits(images)
        losses = []
        largest: Logits | None = None
        for spec in self.specs():
            student = logits_of(model.subnet(spec), images)
            if largest is not None:
                losses.append(full_distillation(student, largest, temperature=1.0))
                continue
            if self.teaching is None or teacher_logits is None:
                losses.append(sum_over_heads(student, targets))
            else:
                losses.append(self.teaching.loss(student, targets, teacher_logits))
            if self.distill_in_place:
                largest = _detached(student)
        return torch.stack(losses).mean()


def _detached(logits: Logits) -> Logits:
    distilled = None if logits.distilled is None else logits.distilled.detach()
    return Logits(logits.token.detach(), distilled)
