"""Losses against torch's own and against closed forms in numpy, with what follows from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn
from torch.nn import functional as F
from vitprof.models import ViTSpec, create_model
from vitprof.training.distillation import DistillationLoss, Teaching
from vitprof.training.losses import (
    Logits,
    cnn_distillation,
    divergence,
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


def test_the_cnn_distillation_of_nvit_is_a_sum(logits) -> None:
    """Yang et al. 2023, eq. 8; AutoViT's eq. 11 at α = 1/2 is half of it."""
    token, distilled, teacher, _ = logits
    expected = F.cross_entropy(token, torch.arange(6) % 4)
    expected = expected + F.cross_entropy(distilled, teacher.argmax(dim=1))
    both = Logits(token, distilled)
    torch.testing.assert_close(cnn_distillation(both, targets(), teacher), expected)
    torch.testing.assert_close(hard_distillation(both, targets(), teacher, 0.5), expected / 2)
    alone = cnn_distillation(Logits(token), targets(), teacher)
    said = F.cross_entropy(token, teacher.argmax(dim=1))
    torch.testing.assert_close(alone, F.cross_entropy(token, torch.arange(6) % 4) + said)


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
    """Yang et al. 2023, eq. 9, which has no factor τ²."""
    token, distilled, full, full_distilled = logits

    def divergence(student, teacher):
        p, q = (F.softmax(x / 3, dim=1) for x in (teacher, student))
        return (p * (p / q).log()).sum(dim=1).mean()

    found = full_distillation(Logits(token, distilled), Logits(full, full_distilled), 3.0)
    expected = divergence(token, full) + divergence(distilled, full_distilled)
    torch.testing.assert_close(found, expected)
    alone = full_distillation(Logits(token), Logits(full, full_distilled), 3.0)
    torch.testing.assert_close(alone, divergence(token, full))
    assert full_distillation(Logits(token), Logits(token), 3.0).abs() < 1e-6


# --- closed forms in numpy ------------------------------------------------------------------------

LOGITS = arrays(np.float64, (3, 4), elements=st.floats(-8, 8))
TAUS = st.floats(0.5, 8)
SHARES = st.floats(0, 1)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def kl(full: np.ndarray, student: np.ndarray) -> float:
    p, q = log_softmax(full), log_softmax(student)
    return float((np.exp(p) * (p - q)).sum() / len(full))


def entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())


def in_torch(*found: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(each).float() for each in found]


@given(LOGITS, LOGITS, TAUS)
def test_divergence_is_the_closed_form(z, full, tau: float) -> None:
    found = float(divergence(*in_torch(z, full), tau))
    assert found == pytest.approx(kl(full / tau, z / tau), rel=1e-4, abs=1e-5)
    assert found >= -1e-6
    # Only z / τ counts, and no constant beside the logits.
    again = float(divergence(*in_torch(2 * z + 3, 2 * full - 1), 2 * tau))
    assert again == pytest.approx(found, rel=1e-3, abs=1e-5)


@given(LOGITS, LOGITS, LOGITS, SHARES, TAUS)
def test_all_distillations_are_the_closed_forms(z_c, z_d, said, alpha: float, tau: float) -> None:
    labels = np.array([0, 3, 1])
    targets = torch.from_numpy(np.eye(4, dtype=np.float32)[labels])
    token, distilled, teacher = in_torch(z_c, z_d, said)
    both = Logits(token, distilled)
    named = teacher.argmax(dim=1).numpy()
    label, taught = entropy(z_c, labels), entropy(z_d, named)
    close = {"rel": 1e-4, "abs": 1e-4}
    eq_8 = float(cnn_distillation(both, targets, teacher))
    assert eq_8 == pytest.approx(label + taught, **close)
    eq_9 = float(full_distillation(both, Logits(teacher, token), tau))
    assert eq_9 == pytest.approx(kl(said / tau, z_c / tau) + kl(z_c / tau, z_d / tau), **close)
    eq_10 = float(soft_distillation(both, targets, teacher, alpha, tau))
    divergence_ = kl(said / tau, z_d / tau)
    assert eq_10 == pytest.approx((1 - alpha) * label + alpha * tau**2 * divergence_, **close)
    eq_11 = float(hard_distillation(both, targets, teacher, alpha))
    assert eq_11 == pytest.approx((1 - alpha) * label + alpha * taught, **close)


# --- a loss of a model ----------------------------------------------------------------------------


def test_without_a_teacher_the_tokens_learn_the_labels_alike() -> None:
    torch.manual_seed(0)
    model = create_model(SPEC)
    images = torch.randn(6, 3, 8, 8)
    both = logits_of(model, images)
    assert both.distilled is not None
    torch.testing.assert_close(both.prediction, model(images))
    expected = (
        soft_cross_entropy(both.token, targets()) + soft_cross_entropy(both.distilled, targets())
    ) / 2
    torch.testing.assert_close(DistillationLoss()(model, images, targets()), expected)


@pytest.mark.parametrize(("kind", "tau"), [("soft", 2.0), ("hard", 3.0)])
def test_a_teacher_is_heard_beside_the_labels_without_gradients(kind: str, tau: float) -> None:
    torch.manual_seed(0)
    model, teacher = create_model(SPEC), create_model(SPEC)
    images = torch.randn(6, 3, 8, 8)
    loss = DistillationLoss(Teaching(teacher, kind, 0.3, tau))(model, images, targets())
    both, said = logits_of(model, images), teacher(images)
    expected = (
        soft_distillation(both, targets(), said, 0.3, tau)
        if kind == "soft"
        else hard_distillation(both, targets(), said, 0.3)
    )
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert all(p.grad is not None for p in model.parameters())


def test_any_module_of_images_can_be_trained() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    assert DistillationLoss()(model, torch.randn(6, 3, 8, 8), targets()).ndim == 0
