"""Losses against torch's own, and the objective put together from them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from vitprof.models import ViTSpec, create_model
from vitprof.training.distillation import DistillationLoss, Teaching
from vitprof.training.losses import (
    Logits,
    full_distillation,
    hard_distillation,
    logits_of,
    soft_cross_entropy,
    soft_distillation,
)

SPEC = ViTSpec.uniform(16, 1, 2, resolution=8, patch=4, classes=4, distilled=True)


@pytest.fixture
def logits() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(6, 4) for _ in range(4)]


def targets() -> torch.Tensor:
    return F.one_hot(torch.arange(6) % 4, 4).float()


def test_soft_cross_entropy_of_one_class_is_cross_entropy(logits) -> None:
    torch.testing.assert_close(
        soft_cross_entropy(logits[0], targets()), F.cross_entropy(logits[0], torch.arange(6) % 4)
    )


def test_hard_distillation_is_half_of_each(logits) -> None:
    token, distilled, teacher, _ = logits
    expected = F.cross_entropy(token, torch.arange(6) % 4)
    expected = (expected + F.cross_entropy(distilled, teacher.argmax(dim=1))) / 2
    found = hard_distillation(Logits(token, distilled), targets(), teacher)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_soft_and_hard_distillation_of_autovit(logits, alpha: float) -> None:
    """Kong et al. 2025, eq. 10 and 11, for a model with one head."""
    token, _, teacher, _ = logits
    label = F.cross_entropy(token, torch.arange(6) % 4)
    p, q = F.softmax(teacher / 2, dim=1), F.softmax(token / 2, dim=1)
    kl = (p * (p / q).log()).sum(dim=1).mean()
    soft = Teaching(nn.Identity(), "soft", alpha, 2.0).loss(Logits(token), targets(), teacher)
    torch.testing.assert_close(soft, (1 - alpha) * label + alpha * 4 * kl)
    hard = Teaching(nn.Identity(), "hard", alpha).loss(Logits(token), targets(), teacher)
    said = F.cross_entropy(token, teacher.argmax(dim=1))
    torch.testing.assert_close(hard, (1 - alpha) * label + alpha * said)


def test_soft_distillation_is_least_where_the_student_is_the_teacher(logits) -> None:
    token, distilled, teacher, _ = logits
    equal = soft_distillation(Logits(token, teacher), targets(), teacher, 1.0, 3.0)
    assert abs(equal) < 1e-6
    assert soft_distillation(Logits(token, distilled), targets(), teacher, 1.0, 3.0) > 1e-3


def test_full_distillation_sums_over_the_tokens(logits) -> None:
    token, distilled, full, full_distilled = logits

    def divergence(student, teacher):
        p, q = (F.softmax(x / 3, dim=1) for x in (teacher, student))
        return 9 * (p * (p / q).log()).sum(dim=1).mean()

    found = full_distillation(Logits(token, distilled), Logits(full, full_distilled), 3.0)
    expected = divergence(token, full) + divergence(distilled, full_distilled)
    torch.testing.assert_close(found, expected)
    alone = full_distillation(Logits(token), Logits(full, full_distilled), 3.0)
    torch.testing.assert_close(alone, divergence(token, full))
    assert full_distillation(Logits(token), Logits(token), 3.0).abs() < 1e-6


def test_the_objective_adds_what_there_is() -> None:
    torch.manual_seed(0)
    model, full, teacher = (create_model(SPEC) for _ in range(3))
    images = torch.randn(6, 3, 8, 8)
    both, full_both = logits_of(model, images), logits_of(full, images)
    assert both.distilled is not None
    torch.testing.assert_close(both.prediction, model(images))
    plain = DistillationLoss()(model, images, targets())
    expected = (
        soft_cross_entropy(both.token, targets()) + soft_cross_entropy(both.distilled, targets())
    ) / 2
    torch.testing.assert_close(plain, expected)
    everything = DistillationLoss(teacher, full, alpha=0.7, tau=2.0)(model, images, targets())
    expected = hard_distillation(both, targets(), teacher(images)) + 0.7 * full_distillation(
        both, full_both, 2.0
    )
    torch.testing.assert_close(everything, expected)


def test_the_full_model_gets_no_gradient() -> None:
    torch.manual_seed(0)
    model, full = create_model(SPEC), create_model(SPEC)
    DistillationLoss(full, full)(model, torch.randn(6, 3, 8, 8), targets()).backward()
    assert all(p.grad is None for p in full.parameters())
    assert all(p.grad is not None for p in model.parameters())


def test_any_module_of_images_can_be_trained() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    assert DistillationLoss()(model, torch.randn(6, 3, 8, 8), targets()).ndim == 0
