"""NViT's objective: eq. 8 and 9 as they are printed, and what `alpha` weighs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from vitprof.compress.nvit.objective import NViTObjective
from vitprof.compress.nvit.options import NViTOptions
from vitprof.models import ViTSpec, create_model

LABELS = torch.arange(6) % 4
TARGETS = F.one_hot(LABELS, 4).float()


@pytest.fixture
def images() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(6, 3, 8, 8)


def model(seed: int, distilled: bool = True) -> nn.Module:
    torch.manual_seed(seed)
    made = create_model(
        ViTSpec.uniform(16, 1, 2, resolution=8, patch=4, classes=4, distilled=distilled)
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def kl(full: torch.Tensor, student: torch.Tensor, tau: float) -> torch.Tensor:
    return F.kl_div(
        (student / tau).log_softmax(dim=1), (full / tau).softmax(dim=1), reduction="batchmean"
    )


@pytest.mark.parametrize("tau", [1.0, 3.0])
def test_it_is_alpha_times_eq_9_plus_eq_8(images, tau: float) -> None:
    student, full, teacher = model(0), model(1), model(2, distilled=False)
    z_c, z_d = student.forward_heads(images)
    t_c, t_d = full.forward_heads(images)
    cnn = F.cross_entropy(z_c, LABELS) + F.cross_entropy(z_d, teacher(images).argmax(dim=1))
    expected = 0.7 * (kl(t_c, z_c, tau) + kl(t_d, z_d, tau)) + cnn
    found = NViTObjective(teacher, full, 0.7, tau)(student, images, TARGETS)
    torch.testing.assert_close(found, expected)


def test_without_a_teacher_both_tokens_learn_the_labels(images) -> None:
    student = model(0)
    z_c, z_d = student.forward_heads(images)
    expected = F.cross_entropy(z_c, LABELS) + F.cross_entropy(z_d, LABELS)
    torch.testing.assert_close(NViTObjective()(student, images, TARGETS), expected)


def test_one_token_without_distillation_is_the_cross_entropy(images) -> None:
    """So results of `--alpha 0` are what they were under any factor."""
    student, full = model(0, distilled=False), model(1)
    expected = F.cross_entropy(student(images), LABELS)
    found = NViTObjective(full=full, alpha=0.0)(student, images, TARGETS)
    torch.testing.assert_close(found, expected)


def test_the_full_model_and_the_teacher_get_no_gradient(images) -> None:
    student, full, teacher = model(0), model(1), model(2)
    NViTObjective(teacher, full, 1.0)(student, images, TARGETS).backward()
    assert all(p.grad is None for each in (full, teacher) for p in each.parameters())
    assert all(p.grad is not None for p in student.parameters())


def test_alpha_is_tau_squared_unless_given() -> None:
    assert NViTOptions().weight == 9
    assert NViTOptions(tau=2.0).weight == 4
    assert NViTOptions(alpha=0.5, tau=2.0).weight == 0.5
    assert NViTOptions(alpha=0.0).weight == 0
