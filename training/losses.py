"""What training minimises: cross entropy, a CNN teacher's labels, the full model's logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ..models.modules.words import Words

# Called with a model, what it takes (a batch of images, or of words) and the targets (n x classes,
# rows of 1): what to minimise.
Loss = Callable[[nn.Module, Any, Tensor], Tensor]


@dataclass(frozen=True)
class Logits:
    """A model's logits, n x classes, from its class token and its distillation token.

    A model without distillation token has `distilled` None.
    """

    token: Tensor
    distilled: Tensor | None = None

    @property
    def prediction(self) -> Tensor:
        """What the model answers: the mean of both (Touvron et al. 2021, section 3)."""
        return self.token if self.distilled is None else (self.token + self.distilled) / 2

    @property
    def taught(self) -> Tensor:
        """What learns from a teacher: the distillation token's, else the one token's."""
        return self.token if self.distilled is None else self.distilled


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over n of the cross entropy with target distributions (n x classes)."""
    return -(targets * F.log_softmax(logits.float(), dim=-1)).sum(dim=-1).mean()


def cnn_distillation(student: Logits, targets: Tensor, teacher: Tensor) -> Tensor:
    """Return CE(z_c, Y) + CE(z_d, argmax of the teacher's logits).

    Yang et al. 2023 (NViT), eq. 8, a sum as there: DeiT's hard distillation is half of it. Without
    a distillation token the one token learns both.
    """
    return soft_cross_entropy(student.token, targets) + _named_by(teacher, student)


def hard_distillation(student: Logits, targets: Tensor, teacher: Tensor, alpha: float) -> Tensor:
    """Return (1 - α)·CE(z_c, Y) + α·CE(z_d, argmax of the teacher's logits).

    Kong et al. 2025 (AutoViT), eq. 11; with α = 1/2 DeiT's (Touvron et al. 2021). Without a
    distillation token the one token learns both.
    """
    label = soft_cross_entropy(student.token, targets)
    return (1 - alpha) * label + alpha * _named_by(teacher, student)


def soft_distillation(
    student: Logits, targets: Tensor, teacher: Tensor, alpha: float, tau: float
) -> Tensor:
    """Return (1 - α)·CE(z_c, Y) + α·τ²·KL(teacher || student) of distributions at temperature τ.

    Kong et al. 2025 (AutoViT), eq. 10 (its L_KL(student, teacher) is what Hinton et al. 2015
    minimise). Without a distillation token the one token learns both.
    """
    label = soft_cross_entropy(student.token, targets)
    return (1 - alpha) * label + alpha * tau**2 * divergence(student.taught, teacher, tau)


def full_distillation(student: Logits, full: Logits, temperature: float) -> Tensor:
    """Return Σ KL(full || student) of distributions at a temperature, over the tokens both have.

    Yang et al. 2023 (NViT), eq. 9, without a factor, as there: the gradients fall as 1 /
    temperature² (Hinton et al. 2015, section 2).
    """
    loss = divergence(student.token, full.token, temperature)
    if student.distilled is not None and full.distilled is not None:
        loss = loss + divergence(student.distilled, full.distilled, temperature)
    return loss


def divergence(student: Tensor, full: Tensor, temperature: float) -> Tensor:
    """Return KL(full || student) of two n x classes logits at a temperature, the mean over n."""
    return F.kl_div(
        F.log_softmax(student.float() / temperature, dim=-1),
        F.log_softmax(full.float() / temperature, dim=-1),
        reduction="batchmean",
        log_target=True,
    )


def _named_by(teacher: Tensor, student: Logits) -> Tensor:
    """Return the cross entropy with the classes that the teacher names."""
    return F.cross_entropy(student.taught.float(), teacher.argmax(dim=-1))


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
