"""The distillation loss, against its formula written down by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from vitprof.models import ViTSpec, create_model
from vitprof.training.distillation import StudentLoss

SPEC = ViTSpec.uniform(16, 1, 2, mlp=16, resolution=8, patch=4, classes=3, name="s")
TOKEN = ViTSpec.uniform(
    16, 1, 2, mlp=16, resolution=8, patch=4, classes=3, distilled=True, name="t"
)


def divergence(teacher: torch.Tensor, student: torch.Tensor, temperature: float) -> torch.Tensor:
    p, q = (logits.div(temperature).softmax(dim=-1) for logits in (teacher, student))
    return temperature**2 * (p * (p / q).log()).sum(dim=-1).mean()


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -(targets * logits.softmax(dim=-1).log()).sum(dim=-1).mean()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(4, 3, 8, 8), torch.eye(3)[[0, 2, 1, 1]]


def model(spec: ViTSpec, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    made = create_model(spec)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


@pytest.mark.parametrize(("weight", "temperature"), [(1.0, 3.0), (0.5, 1.0), (0.0, 2.0)])
def test_one_token_learns_label_and_teacher(batch, weight: float, temperature: float) -> None:
    images, targets = batch
    student, teacher = model(SPEC, 0), model(SPEC, 7)
    expected = cross_entropy(student(images), targets) + weight * divergence(
        teacher(images), student(images), temperature
    )
    found = StudentLoss(teacher, weight, temperature)(student, images, targets)
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_distillation_token_learns_the_teacher_and_the_class_token_the_label(batch) -> None:
    images, targets = batch
    student, teacher = model(TOKEN, 0), model(SPEC, 7)
    token, distilled = student.forward_heads(images)
    expected = cross_entropy(token, targets) + divergence(teacher(images), distilled, 3.0)
    assert torch.allclose(StudentLoss(teacher)(student, images, targets), expected, atol=1e-5)


def test_a_teacher_with_two_heads_says_their_mean(batch) -> None:
    images, targets = batch
    student, teacher = model(SPEC, 0), model(TOKEN, 7)
    expected = cross_entropy(student(images), targets) + divergence(
        teacher(images), student(images), 3.0
    )
    assert torch.allclose(StudentLoss(teacher)(student, images, targets), expected, atol=1e-5)


def test_the_teacher_gets_no_gradient(batch) -> None:
    student, teacher = model(SPEC, 0), model(SPEC, 7)
    StudentLoss(teacher)(student, *batch).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(parameter.grad is not None for parameter in student.parameters())
